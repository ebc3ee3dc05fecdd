"""What can be said about a picture: descriptions, statements that are true or false, and pictures that are neither one thing nor the other."""
import dataclasses
import random

import numpy as np

import backgrounds
import scenes
from sprites import COLOURED_THINGS, THINGS

DESCRIBE = "Describe the picture."
MATCH = "Is it {prompt}?"
YES, NO = "Yes", "No"
NEAR = .6                                      # share of the false statements that are wrong in one thing only
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
ACROSS = {"left": "above", "right": "below", "above": "left", "below": "right"}


def in_reading_order(scene):
    """The relation as it is described: the left or the upper thing first. `planned` is not needed: the relation tells."""
    if scene.kind == "two" and scene.relation in ("right", "below"):
        return dataclasses.replace(scene, things=scene.things[::-1], relation=OPPOSITE[scene.relation])
    return scene


def description(scene, planned):
    """The one description of a picture: every word of it can be seen, and no other order would do as well."""
    if scene.kind == "two" and scene.relation == "and":
        first = min(planned.spots, key=lambda spot: spot[2])[0]
        other = next(t for t in scene.things if t != first)
        scene = dataclasses.replace(scene, things=(first, other), relation="left")
    scene = in_reading_order(scene)
    words = scenes.with_article(scenes.noun(scene.things[0]))
    if scene.kind == "count":
        words = f"{scenes.NUMBERS[scene.number]} {scenes.plural(scene.things[0])}"
    elif scene.kind == "two":
        words += f" {scenes.RELATIONS[scene.relation][-1 if scene.relation == 'left' else 0]} "
        words += scenes.with_article(scenes.noun(scene.things[1]))
    return f"{words} {backgrounds.phrase(scene.background)}"


def fits(said, shown):
    """Whether a thing may be called that; a colour may go unsaid."""
    return said[1] == shown[1] and said[0] in (None, shown[0])


def holds(said, scene):
    """Whether `said`, a scene whose colours may be unsaid, is true of a picture of `scene`.

    "a and b" is true of any two things; a relation is true of a picture of "a and b" by chance only, and then this says True.
    """
    if (said.kind, said.number, said.background) != (scene.kind, scene.number, scene.background):
        return False
    if said.kind != "two":
        return fits(said.things[0], scene.things[0])
    here = all(map(fits, said.things, scene.things))
    swapped = all(map(fits, said.things, scene.things[::-1]))
    if "and" in (said.relation, scene.relation):
        return here or swapped
    return here and said.relation == scene.relation or swapped and said.relation == OPPOSITE[scene.relation]


def other_thing(thing, rng):
    """Another thing: of another colour, another noun of the same colour, or anything."""
    kind = rng.random()
    if thing[0] and kind < .4:
        return rng.choice([t for t in COLOURED_THINGS if t[1] == thing[1] and t[0] != thing[0]])
    if thing[0] and kind < .7:
        return rng.choice([t for t in COLOURED_THINGS if t[0] == thing[0] and t[1] != thing[1]])
    return rng.choice([t for t in THINGS if t != thing])


def change(scene, rng):
    """The scene with one thing about it changed."""
    replace = dataclasses.replace
    kind = rng.random()
    if kind < .12:
        return replace(scene, background=rng.choice([b for b in backgrounds.ALL if b != scene.background]))
    if scene.kind == "two":
        a, b = scene.things
        if kind < .35 and scene.relation != "and":
            return replace(scene, relation=rng.choice((OPPOSITE, ACROSS))[scene.relation])
        if kind < .5 and a[0] and b[0]:
            return replace(scene, things=((b[0], a[1]), (a[0], b[1])))
        if kind < .6:
            return scenes.Scene("one", (rng.choice(scene.things),), scene.background)
        return replace(scene, things=(other_thing(a, rng), b) if rng.random() < .5 else (a, other_thing(b, rng)))
    thing = scene.things[0]
    if kind < .3 and scene.kind == "one":
        return scenes.Scene("two", (thing, scenes.random_thing(rng)), scene.background, "and")
    if kind < .5 or scene.kind == "count" and kind < .65:
        number = rng.choice([n for n in (1, 2, 3, 4) if n != scene.number])
        return replace(scene, kind="count" if number > 1 else "one", number=number)
    return replace(scene, things=(other_thing(thing, rng),))


def false(scene, rng):
    """A statement (scene, words) that is not true, and names nothing that is held out: mostly near the truth, else far from it.

    The near ones are what judging is about; comparing at all is learnt from the far ones.
    """
    while True:
        changed = change(scene, rng) if rng.random() < NEAR else scenes.random_scene(rng)
        if len(set(changed.things)) < len(changed.things) or scenes.held_out(changed):
            continue
        if any(scenes.invisible(t, changed.background) for t in changed.things):
            continue
        said = scenes.unnamed(changed, rng)
        words = scenes.caption(said, rng)
        elsewhere = dataclasses.replace(said, background=scene.background)
        silent = backgrounds.phrase(said.background) not in words
        if not holds(elsewhere if silent else said, scene):
            return said, words


def true(scene, rng):
    return scenes.caption(scenes.unnamed(scene, rng), rng)


def spoil(planned, rng):
    """uint8 RGB: the plan with one of its things wrong in part, as a drawing goes wrong: another thing, or nothing, from some row on."""
    spots = list(planned.spots)
    i = rng.randrange(len(spots))
    thing, size, x, y = spots[i]
    rows = size // scenes.CELL
    wrong = dataclasses.replace(planned, spots=tuple(
        spots[:i] + ([(other_thing(thing, rng), size, x, y)] if rng.random() < .75 else []) + spots[i + 1:]))
    picture, other = scenes.render(planned), scenes.render(wrong)
    top, bottom = (y, y + rng.randrange(1, rows)) if rng.random() < .5 else (y + rng.randrange(1, rows), y + rows)
    window = np.s_[top * scenes.CELL:bottom * scenes.CELL, x * scenes.CELL:x * scenes.CELL + size]
    picture[window] = other[window]
    return picture
