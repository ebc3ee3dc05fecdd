"""Texts about a picture (descriptions, true and false statements), and pictures with a spoilt
thing."""
import dataclasses
import random

import numpy as np

import backgrounds
import scenes
from sprites import COLOURED_THINGS, THINGS

DESCRIBE = "Describe the picture."
MATCH = "Is it {prompt}?"
YES, NO = "Yes", "No"
NEAR = .6                                      # share of false statements with one difference
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
ACROSS = {"left": "above", "right": "below", "above": "left", "below": "right"}


def in_reading_order(scene):
    """The scene as it is described: the left or the upper thing comes first."""
    if scene.kind == "two" and scene.relation in ("right", "below"):
        return dataclasses.replace(scene, things=scene.things[::-1], relation=OPPOSITE[scene.relation])
    return scene


def description(scene, planned):
    """The only correct description of a picture. All its words are visible in the picture, and the
    order of the things is fixed."""
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
    """Whether `said` is a correct name of `shown`; the colour may be left out."""
    return said[1] == shown[1] and said[0] in (None, shown[0])


def holds(said, scene):
    """Whether `said`, a scene in which colours may be left out, is true of a picture of `scene`.

    "a and b" is true of any two things. A relation may be true of a picture of "a and b" by chance;
    the result is then True, to be safe.
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
    """Another thing: another colour, another noun of the same colour, or any other."""
    kind = rng.random()
    if thing[0] and kind < .4:
        return rng.choice([t for t in COLOURED_THINGS if t[1] == thing[1] and t[0] != thing[0]])
    if thing[0] and kind < .7:
        return rng.choice([t for t in COLOURED_THINGS if t[0] == thing[0] and t[1] != thing[1]])
    return rng.choice([t for t in THINGS if t != thing])


def change(scene, rng):
    """The scene with one change."""
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


@dataclasses.dataclass(frozen=True)
class Form:
    """The form of a sentence, independent of its content; the shares are those of
    scenes.caption."""

    article: str
    relation: int
    place: bool
    style: str

    @staticmethod
    def random(rng):
        return Form(rng.choices(("a", "one", ""), (.8, .1, .1))[0], rng.randrange(2), rng.random() < .8,
                    rng.choices(("", "a photo of ", "a picture of ", "a drawing of ", "capital", "sentence"),
                                (.88, .02, .02, .02, .03, .03))[0])

    def words(self, scene):
        a = scene.things[0]
        if scene.kind == "count":
            text = f"{scenes.NUMBERS[scene.number]} {scenes.plural(a)}"
        elif scene.kind == "two":
            relations = scenes.RELATIONS[scene.relation]
            text = f"{scenes.with_article(scenes.noun(a))} {relations[self.relation % len(relations)]} " + \
                scenes.with_article(scenes.noun(scene.things[1]))
        else:
            text = {"a": scenes.with_article, "one": "one {}".format, "": str}[self.article](scenes.noun(a))
        if self.place:
            text += " " + backgrounds.phrase(scene.background)
        if self.style in ("capital", "sentence"):
            return text[0].upper() + text[1:] + (self.style == "sentence") * "."
        return self.style + text


def true(scene, rng):
    return Form.random(rng).words(scenes.unnamed(scene, rng))


def false(scene, rng):
    """(false statement, true twin). The statement names nothing that is held out. The twin is a
    true statement that begins with the same words.

    Most false statements differ from the truth in one respect; the others differ in everything and
    have no twin (None). The former teach to judge, the latter teach to compare at all.
    """
    while True:
        near = rng.random() < NEAR
        changed, form = change(scene, rng) if near else scenes.random_scene(rng), Form.random(rng)
        if len(set(changed.things)) < len(changed.things) or scenes.held_out(changed):
            continue
        if any(scenes.invisible(t, changed.background) for t in changed.things):
            continue
        unsaid = rng.random()                   # the same colours are left out in both
        said, truth = (scenes.unnamed(s, random.Random(unsaid)) for s in (changed, scene))
        if not holds(said if form.place else dataclasses.replace(said, background=scene.background), scene):
            return form.words(said), form.words(truth) if near else None


def spoil(planned, rng):
    """Renders the plan as uint8 RGB with one thing partly wrong, as it happens in drawings: from
    some row on there is another thing or nothing."""
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
