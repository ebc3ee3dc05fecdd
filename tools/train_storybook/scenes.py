"""Captioned storybook scenes, deterministic by seed.

A scene holds one thing, two things (with or without a relation), or two to four of the same thing, on a
background. Things sit on the 8-pixel grid of the picture tokens. Some combinations are *held out*: they
never occur in training, and the evaluation asks for exactly those.
"""
import dataclasses
import hashlib
import random

import numpy as np

import backgrounds
from sprites import COLOURED_THINGS, PLAIN_THINGS, sprite

SIDE = backgrounds.SIDE
SINGLE, SMALL = 48, 40                       # sprite sizes: a lone thing, and things in company
RELATIONS = {"left": ("left of", "to the left of"), "right": ("right of", "to the right of"),
             "above": ("above", "over"), "below": ("below", "under"), "and": ("and",)}
MIRROR = {"right": "left", "below": "above"}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
PLURALS = {"cactus": "cacti", "snowman": "snowmen", "strawberry": "strawberries", "fox": "foxes", "butterfly": "butterflies"}
LAYOUTS = {                                  # top-left corners of SMALL sprites
    2: (((0, 24), (56, 24)), ((8, 32), (48, 32)), ((24, 0), (24, 48)), ((32, 8), (32, 56)),
        ((8, 8), (48, 48)), ((48, 8), (8, 48))),
    3: (((24, 8), (0, 48), (56, 48)), ((0, 8), (56, 8), (24, 48)), ((8, 0), (8, 48), (48, 24)), ((48, 0), (48, 48), (8, 24))),
    4: (((8, 8), (48, 8), (8, 48), (48, 48)), ((0, 0), (56, 0), (0, 56), (56, 56))),
}


@dataclasses.dataclass(frozen=True)
class Scene:
    kind: str                                # "one", "two" or "count"
    things: tuple                            # one entry for "one" and "count", two for "two"
    background: str
    relation: str = "and"                    # of things[0] to things[1], only for "two"
    number: int = 1                          # only for "count"


def _draws(tenth_of, *what):
    digest = hashlib.sha256(repr(what).encode()).digest()
    return int.from_bytes(digest[:4], "big") % tenth_of == 0


def held_out_colour(thing):
    return thing[0] is not None and _draws(10, "colour", *thing)


def held_out_relation(a, relation, b):
    """Mirrored relations (a left of b, b right of a) are held out together, so are both orders of `and`."""
    if relation in MIRROR:
        a, relation, b = b, MIRROR[relation], a
    if relation == "and":
        a, b = sorted((a, b), key=str)
    return _draws(10, "relation", a, relation, b)


def held_out_number(thing, number):
    return _draws(8, "number", thing[1], number)


def held_out(scene):
    if any(held_out_colour(t) for t in scene.things):
        return True
    if scene.kind == "two":
        return held_out_relation(scene.things[0], scene.relation, scene.things[1])
    return scene.kind == "count" and held_out_number(scene.things[0], scene.number)


def invisible(thing, background):
    return (thing[0], background) in {("white", "white"), ("white", "snow"), ("black", "black"),
                                      ("black", "night"), ("black", "space")}


def random_thing(rng):
    return rng.choice(COLOURED_THINGS if rng.random() < .55 else PLAIN_THINGS)


def random_background(rng):
    return rng.choice(list(backgrounds.PLAIN if rng.random() < .4 else backgrounds.SCENES))


def random_scene(rng):
    """Any scene that could be asked for, held out or not."""
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
    if scene.kind == "two":
        return f"{with_article(noun(a))} {rng.choice(RELATIONS[scene.relation])} {with_article(noun(scene.things[1]))}"
    form = rng.random()
    return with_article(noun(a)) if form < .8 else f"one {noun(a)}" if form < .9 else noun(a)


def caption(scene, rng):
    """What somebody would type to get this scene."""
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
    """[(thing, size, x, y)] of a scene."""
    if scene.kind == "one":
        return [(scene.things[0], SINGLE, rng.choice((16, 24, 32)), rng.choice((24, 32)))]
    if scene.kind == "count":
        corners = rng.choice(LAYOUTS[scene.number])
        return [(scene.things[0], SMALL, x, y) for x, y in corners]
    relation = scene.relation if scene.relation != "and" else rng.choice(("left", "right"))
    near, far = rng.choice(((0, 56), (8, 48)))
    across = rng.choice((24, 32))
    first, second = (near, far) if relation in ("left", "above") else (far, near)
    spots = [(first, across), (second, across)]
    if relation in ("above", "below"):
        spots = [(y, x) for x, y in spots]
    return [(t, SMALL, x, y) for t, (x, y) in zip(scene.things, spots)]


def paste(picture, thing, size, x, y):
    s = sprite(thing, size)
    window = picture[y:y + size, x:x + size]
    window *= 1 - s[..., 3:]
    window += s[..., :3]


def draw(scene, rng):
    """Renders a scene as uint8 RGB."""
    picture = np.array(backgrounds.background(scene.background, rng.randrange(backgrounds.VARIANTS)))
    for spot in placements(scene, rng):
        paste(picture, *spot)
    return (picture * 255 + .5).astype(np.uint8)


def sample(seed):
    """Training example number `seed`: (picture, caption, scene)."""
    rng = random.Random(f"storybook {seed}")
    scene = random_scene(rng)
    while held_out(scene):
        scene = random_scene(rng)
    return draw(scene, rng), caption(scene, rng), scene
