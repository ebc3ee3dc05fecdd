"""Detects what a storybook picture shows, from its pixels only (analysis by synthesis, nothing is
learned).

The nearest known background is the first canvas. Then the sprite that reduces the squared error
most is pasted on it, repeatedly, until no sprite explains enough of the remaining error.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train_storybook"))

import backgrounds
import scenes
from sprites import THINGS, sprite

STEP = 4                                     # pixels between tried positions (training: 16)
SIZES = (scenes.SMALL, scenes.SINGLE)
MOST = 6                                     # most things in a picture
MIN_SHARE = .5                               # least improved share of the pasted change
MIN_GAIN = .012                              # least squared error removed per covered pixel
MAX_ERROR = .22                              # largest RMS colour error inside the sprite
MAX_OVERLAP = .35

_CANVASES = [(name, backgrounds.background(name, v)) for name in backgrounds.ALL for v in range(backgrounds.variants(name))]
_SMALL = np.stack([c[2::4, 2::4] for _, c in _CANVASES])


class _Bank:
    """All sprites of one size, flattened for matrix products."""

    def __init__(self, size):
        self.size = size
        self.rgba = np.stack([sprite(t, size) for t in THINGS])
        n = len(THINGS)
        self.alpha = np.repeat(self.rgba[..., 3:], 3, axis=3).reshape(n, -1)
        self.colour = np.ascontiguousarray(self.rgba[..., :3]).reshape(n, -1)
        self.alpha2, self.mixed = self.alpha ** 2, self.alpha * self.colour
        self.energy = (self.colour ** 2).sum(1)
        self.area = self.rgba[..., 3].reshape(n, -1).sum(1)

    def windows(self, picture):
        view = np.lib.stride_tricks.sliding_window_view(picture, (self.size, self.size), axis=(0, 1))[::STEP, ::STEP]
        return np.ascontiguousarray(view.transpose(0, 1, 3, 4, 2)).reshape(view.shape[0] * view.shape[1], -1), view.shape[1]

    def gains(self, picture, canvas):
        """Squared error removed by pasting each thing at each position: [positions, things],
        columns."""
        rest, columns = self.windows(picture - canvas)
        under, _ = self.windows(canvas)
        after = (2 * (rest * under) @ self.alpha.T - 2 * rest @ self.colour.T
                 + (under * under) @ self.alpha2.T - 2 * under @ self.mixed.T + self.energy)
        return -after, columns


_BANKS = {size: _Bank(size) for size in SIZES}


def find_background(picture):
    gap = np.minimum(np.abs(_SMALL - picture[2::4, 2::4]).max(-1), .25).mean((1, 2))
    return _CANVASES[int(gap.argmin())]


def _candidates(picture, canvas):
    found = []
    for size, bank in _BANKS.items():
        gain, columns = bank.gains(picture, canvas)
        relative = gain / bank.area
        for position in range(len(gain)):
            for thing in np.argpartition(-gain[position], 6)[:6]:
                if relative[position, thing] > MIN_GAIN:
                    found.append((float(gain[position, thing]), int(thing), size,
                                  STEP * (position % columns), STEP * (position // columns)))
    return sorted(found, reverse=True)[:1500]


def detect(pixels):
    """{"background": name, "things": [{"thing", "size", "x", "y"}]}; x and y are centres."""
    picture = np.asarray(pixels, np.float32) / 255
    name, canvas = find_background(picture)
    canvas = np.array(canvas)
    candidates = _candidates(picture, canvas)
    covered = np.zeros(picture.shape[:2], np.float32)
    things = []
    while len(things) < MOST:
        best = None
        for first_gain, index, size, x, y in candidates:
            if best and first_gain <= best[0]:               # gains only shrink while the canvas fills up
                break
            s = _BANKS[size].rgba[index]
            alpha = s[..., 3:]
            before, seen = canvas[y:y + size, x:x + size], picture[y:y + size, x:x + size]
            after = before * (1 - alpha) + s[..., :3]
            gain = float(((seen - before) ** 2).sum() - ((seen - after) ** 2).sum())
            if best and gain <= best[0]:
                continue
            area = _BANKS[size].area[index]
            error = float(np.sqrt((alpha * (seen - after) ** 2).sum() / (3 * area)))
            share = gain / float(((before - after) ** 2).sum() + 1e-6)
            overlap = float((covered[y:y + size, x:x + size] * alpha[..., 0]).sum() / area)
            if gain > MIN_GAIN * area and error < MAX_ERROR and share > MIN_SHARE and overlap < MAX_OVERLAP:
                best = (gain, index, size, x, y)
        if best is None:
            break
        _, index, size, x, y = best
        s = _BANKS[size].rgba[index]
        scenes.paste(canvas, THINGS[index], size, x, y)
        covered[y:y + size, x:x + size] = np.maximum(covered[y:y + size, x:x + size], s[..., 3])
        things.append({"thing": THINGS[index], "size": size, "x": x + size / 2, "y": y + size / 2})
    return {"background": name, "things": things}


def related(relation, a, b):
    """Whether a is in `relation` to b: clearly apart along the axis, and more than across it."""
    dx, dy = b["x"] - a["x"], b["y"] - a["y"]
    along, across = {"left": (dx, dy), "right": (-dx, dy), "above": (dy, dx), "below": (-dy, dx)}[relation]
    return along > scenes.SMALL / 2 and along > abs(across)


def judge(scene, pixels):
    """{"correct": exactly the requested things, with number, place and colour; "background": as
    requested}."""
    seen = detect(pixels)
    wanted = list(scene.things) * (scene.number if scene.kind == "count" else 1)
    correct = sorted(map(str, wanted)) == sorted(str(t["thing"]) for t in seen["things"])
    if correct and scene.kind == "two" and scene.relation != "and":
        by_thing = {t["thing"]: t for t in seen["things"]}
        correct = related(scene.relation, by_thing[scene.things[0]], by_thing[scene.things[1]])
    return {"correct": correct, "background": seen["background"] == scene.background, "seen": seen}
