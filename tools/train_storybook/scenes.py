"""Captioned storybook scenes, deterministic by seed.

A scene has one thing, two things (with or without a relation), two to four of the same thing, or one
thing beside two or three of another, on a background. Things are placed on the 16-pixel grid of the picture tokens. Some combinations are
*held out*: they never occur in training, and the evaluation asks for exactly those.
"""
import dataclasses
import hashlib
import random

import numpy as np

import backgrounds
from sprites import COLOURED_THINGS, PLAIN_THINGS, sprite

SIDE = backgrounds.SIDE
CELL = 16                                    # pixels per side of a picture token
SINGLE, SMALL = 64, 48                       # sprite sizes: of a single thing, of several things
RELATIONS = {"left": ("left of", "to the left of"), "right": ("right of", "to the right of"),
             "above": ("above", "over"), "below": ("below", "under"), "and": ("and",)}
LESSONS = ("names", "all", "company", "plans")   # single, in the middle; all; mostly two things; the same with thoughts
MIXED = .12                                  # share of "a fox and two stars" in the last lesson
MIRROR = {"right": "left", "below": "above"}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
PLURALS = {"cactus": "cacti", "snowman": "snowmen", "strawberry": "strawberries", "fox": "foxes", "butterfly": "butterflies"}
LAYOUTS = {                                  # top-left cells of SMALL sprites
    2: (((0, 2), (5, 2)), ((0, 3), (5, 3)), ((2, 0), (2, 5)), ((3, 0), (3, 5)), ((0, 0), (5, 5)), ((5, 0), (0, 5))),
    3: (((3, 0), (0, 5), (5, 5)), ((0, 0), (5, 0), (2, 5)), ((0, 0), (0, 5), (5, 3)), ((5, 0), (5, 5), (0, 3))),
    4: (((0, 0), (5, 0), (0, 5), (5, 5)), ((0, 0), (4, 0), (0, 4), (4, 4)), ((1, 1), (5, 1), (1, 5), (5, 5))),
}


@dataclasses.dataclass(frozen=True)
class Scene:
    kind: str                                # "one", "two", "count" or "mixed"
    things: tuple                            # one entry for "one" and "count", two for "two" and "mixed"
    background: str
    relation: str = "and"                    # of things[0] to things[1], only for "two"
    number: int = 1                          # only for "count", and of the second thing of "mixed"


def _draws(tenth_of, *what):
    digest = hashlib.sha256(repr(what).encode()).digest()
    return int.from_bytes(digest[:4], "big") % tenth_of == 0


def held_out_colour(thing):
    return thing[0] is not None and _draws(10, "colour", *thing)


def held_out_relation(a, relation, b):
    """Mirrored relations (a left of b, b right of a) are held out together; so are both orders of
    `and`."""
    if relation in MIRROR:
        a, relation, b = b, MIRROR[relation], a
    if relation == "and":
        a, b = sorted((a, b), key=str)
    return _draws(10, "relation", a, relation, b)


def held_out_number(thing, number):
    return _draws(8, "number", thing[1], number)


def held_out(scene):
    """Whether training never shows a scene. Held-out colours are shown but never named (see
    unnamed)."""
    if len(scene.things) == 2 and held_out_relation(scene.things[0], scene.relation, scene.things[1]):
        return True
    return scene.number > 1 and held_out_number(scene.things[-1], scene.number)


def invisible(thing, background):
    return (thing[0], background) in {("white", "white"), ("white", "snow"), ("black", "black"),
                                      ("black", "night"), ("black", "space")}


def random_thing(rng):
    return rng.choice(COLOURED_THINGS if rng.random() < .55 else PLAIN_THINGS)


def random_background(rng):
    return rng.choice(list(backgrounds.PLAIN if rng.random() < .4 else backgrounds.SCENES))


def random_scene(rng):
    """Any scene that can be asked for, held out or not."""
    while True:
        share = rng.random()
        background = random_background(rng)
        a, b = random_thing(rng), random_thing(rng)
        if share < .35:
            scene = Scene("one", (a,), background)
        elif share < .75:
            scene = Scene("two", (a, b), background, relation=rng.choice(list(RELATIONS)))
        else:
            scene = Scene("count", (a,), background, number=rng.choice((2, 3, 4)))
        if len(set(scene.things)) == len(scene.things) and not any(invisible(t, background) for t in scene.things):
            return scene


def mixed_scene(rng):
    """A scene of one thing and some of another."""
    while True:
        scene = Scene("mixed", (random_thing(rng), random_thing(rng)), random_background(rng), number=rng.choice((2, 2, 3)))
        if scene.things[0][1] != scene.things[1][1] and not any(invisible(t, scene.background) for t in scene.things):
            return scene


def noun(thing):
    return " ".join(word for word in thing if word)


def plural(thing):
    return noun((thing[0], PLURALS.get(thing[1], thing[1] + "s")))


def with_article(text):
    return ("an " if text[0] in "aeiou" else "a ") + text


def subject(scene, rng):
    a = scene.things[0]
    if scene.kind == "count":
        return f"{NUMBERS[scene.number]} {plural(a)}"
    if scene.kind == "mixed":
        both = [with_article(noun(a)), f"{NUMBERS[scene.number]} {plural(scene.things[1])}"]
        rng.shuffle(both)
        return " and ".join(both)
    if scene.kind == "two":
        return f"{with_article(noun(a))} {rng.choice(RELATIONS[scene.relation])} {with_article(noun(scene.things[1]))}"
    form = rng.random()
    return with_article(noun(a)) if form < .8 else f"one {noun(a)}" if form < .9 else noun(a)


def caption(scene, rng):
    """A prompt that a user could write for this scene."""
    text = subject(scene, rng)
    if rng.random() < .8:
        text += " " + backgrounds.phrase(scene.background)
    style = rng.random()
    if style < .06:
        text = rng.choice(("a photo of ", "a picture of ", "a drawing of ")) + text
    elif style < .12:
        text = text[0].upper() + text[1:] + rng.choice((".", ""))
    return text


def placements(scene, rng):
    """[(thing, size, x, y)] of a scene; x and y in cells."""
    if scene.kind == "one":
        return [(scene.things[0], SINGLE, rng.choice((1, 2, 3)), rng.choice((2, 3)))]
    if scene.kind == "count":
        corners = rng.choice(LAYOUTS[scene.number])
        return [(scene.things[0], SMALL, x, y) for x, y in corners]
    if scene.kind == "mixed" and scene.number == 3:
        corners = rng.sample(LAYOUTS[4][0], 4)
        return [(scene.things[i > 0], SMALL, x, y) for i, (x, y) in enumerate(corners)]
    if scene.kind == "mixed":
        near, others = rng.choice(((0, 5), (1, 5), (5, 0), (4, 0)))
        spots = [(near, rng.choice((2, 3))), (others, 0), (others, 5)]
        if rng.random() < .5:
            spots = [(y, x) for x, y in spots]
        return [(scene.things[i > 0], SMALL, x, y) for i, (x, y) in enumerate(spots)]
    relation = scene.relation if scene.relation != "and" else rng.choice(("left", "right"))
    near, far = rng.choice(((0, 5), (1, 5), (0, 4)))
    across = rng.choice((2, 3))
    first, second = (near, far) if relation in ("left", "above") else (far, near)
    spots = [(first, across), (second, across)]
    if relation in ("above", "below"):
        spots = [(y, x) for x, y in spots]
    return [(t, SMALL, x, y) for t, (x, y) in zip(scene.things, spots)]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The content of a picture: a background, its variant, and things at cells; later things cover
    earlier ones."""
    background: str
    variant: int
    spots: tuple                             # of (thing, size, x, y)


def plan(scene, rng):
    return Plan(scene.background, rng.randrange(backgrounds.VARIANTS), tuple(placements(scene, rng)))


def relations_shown(planned, a, b):
    """The relations of all a to all b in a picture, where they are clear."""
    ours, theirs = ([spot[2:] for spot in planned.spots if spot[0] == t] for t in (a, b))
    apart = SMALL // CELL
    return [relation for relation, axis, sign in (("left", 0, 1), ("right", 0, -1), ("above", 1, 1), ("below", 1, -1))
            if all(sign * (q[axis] - p[axis]) >= apart for p in ours for q in theirs)]


def shows_held_out(scene, planned):
    """Whether a picture of "a and b" shows a relation that is held out: then its thought would say
    it."""
    return len(scene.things) == 2 and any(
        held_out_relation(scene.things[0], r, scene.things[1]) for r in relations_shown(planned, *scene.things))


def paste(picture, thing, size, x, y):
    """Draws a sprite into a float picture, with its top-left corner at pixel (x, y)."""
    s = sprite(thing, size)
    window = picture[y:y + size, x:x + size]
    window *= 1 - s[..., 3:]
    window += s[..., :3]


def render(planned):
    """Renders a plan as uint8 RGB."""
    picture = np.array(backgrounds.background(planned.background, planned.variant))
    for thing, size, x, y in planned.spots:
        paste(picture, thing, size, CELL * x, CELL * y)
    return (picture * 255 + .5).astype(np.uint8)


def draw(scene, rng):
    """Renders a scene as uint8 RGB."""
    return render(plan(scene, rng))


def unnamed(scene, rng):
    """The scene as its caption describes it: some colours are left out ("a butterfly"), held-out
    colours always.

    So the model has seen purple butterflies, but no caption has ever named them.
    """
    def said(thing):
        return (None, thing[1]) if held_out_colour(thing) or rng.random() < .12 else thing
    return dataclasses.replace(scene, things=tuple(map(said, scene.things)))


def passed_over(scene, lesson):
    """The share of the random scenes of this kind that a lesson skips: what is learnt early needs
    less practice."""
    if lesson == "names":
        return scene.kind != "one"
    one, count, plain = (.8, .6, .5) if lesson in ("company", "plans") else (.5, 0, 0)
    if len(scene.things) == 2:
        return 0 if scene.kind == "mixed" or all(colour for colour, _ in scene.things) else plain
    return one if scene.kind == "one" else count


def sample(seed, lesson="all"):
    """Training example number `seed`: (plan, caption, scene). `lesson` is one of LESSONS."""
    rng = random.Random(f"storybook {seed}")
    while True:
        scene = mixed_scene(rng) if lesson == "plans" and rng.random() < MIXED else random_scene(rng)
        if held_out(scene) or (share := passed_over(scene, lesson)) and rng.random() < share:
            continue
        planned = plan(scene, rng)
        if lesson != "plans" or not shows_held_out(scene, planned):
            break
    if lesson == "names":
        planned = dataclasses.replace(planned, variant=0, spots=((scene.things[0], SINGLE, 2, 2),))
    return planned, caption(unnamed(scene, rng), rng), scene
