"""Backgrounds of storybook pictures: five flat colours, and six painted scenes with a few variants
each.

Details (stars, peaks, horizon) are on the 16-pixel grid of the picture tokens, so that the same
patches occur often.
"""
import functools
import math
import random

import cairo
import numpy as np

SIDE = 128
VARIANTS = 4
PLAIN = {"white": (246, 246, 246), "gray": (170, 172, 176), "black": (26, 26, 30),
         "light blue": (170, 212, 245), "light yellow": (250, 242, 190)}
SCENES = {"grass": "on the grass", "beach": "on the beach", "snow": "in the snow",
          "night": "at night", "sunset": "at sunset", "space": "in space"}
ALL = list(PLAIN) + list(SCENES)


def phrase(name):
    return SCENES.get(name) or f"on a {name} background"


class _Painter:
    def __init__(self, kind, variant):
        self.rng = random.Random(f"storybook/{kind}/{variant}")
        self.surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, SIDE, SIDE)
        self.ctx = cairo.Context(self.surface)
        self.horizon = (80, 88)[variant % 2]

    def _gradient(self, y0, y1, top, bottom):
        g = cairo.LinearGradient(0, y0, 0, y1)
        g.add_color_stop_rgb(0, *(v / 255 for v in top))
        g.add_color_stop_rgb(1, *(v / 255 for v in bottom))
        self.ctx.set_source(g)

    def band(self, y0, y1, top, bottom):
        self.ctx.rectangle(0, y0, SIDE, y1 - y0)
        self._gradient(y0, y1, top, bottom)
        self.ctx.fill()

    def hill(self, y, swing, top, bottom):
        phase = self.rng.randrange(2) * math.pi
        self.ctx.move_to(0, SIDE)
        for x in range(0, SIDE + 1, 4):
            self.ctx.line_to(x, y + swing * math.sin(phase + x / SIDE * 2 * math.pi))
        self.ctx.line_to(SIDE, SIDE)
        self.ctx.close_path()
        self._gradient(y - swing, SIDE, top, bottom)
        self.ctx.fill()

    def peak(self, x, y, half, height, top, bottom):
        self.ctx.move_to(x - half, y)
        self.ctx.line_to(x, y - height)
        self.ctx.line_to(x + half, y)
        self.ctx.close_path()
        self._gradient(y - height, y, top, bottom)
        self.ctx.fill()

    def disc(self, x, y, radius, colour):
        self.ctx.set_source_rgb(*(v / 255 for v in colour))
        self.ctx.arc(x, y, radius, 0, 2 * math.pi)
        self.ctx.fill()

    def stars(self, count, bottom):
        cells = [(x, y) for x in range(SIDE // 16) for y in range(bottom // 16)]
        for x, y in self.rng.sample(cells, count):
            self.disc(16 * x + 8, 16 * y + 8, 1.5, (255, 255, 240))

    def pixels(self):
        bgra = np.ndarray((SIDE, SIDE, 4), np.uint8, self.surface.get_data())
        return bgra[..., 2::-1].astype(np.float32) / 255


def _paint(kind, variant):
    p = _Painter(kind, variant)
    h = p.horizon
    if kind == "grass":
        p.band(0, SIDE, (112, 188, 246), (214, 238, 252))
        p.hill(h - 8, 5, (124, 194, 112), (92, 172, 86))
        p.hill(h + 8, 4, (104, 184, 80), (62, 142, 56))
    elif kind == "beach":
        p.band(0, SIDE, (120, 202, 250), (224, 242, 250))
        p.band(h - 12, h + 10, (44, 124, 202), (92, 192, 220))
        p.hill(h + 8, 3, (246, 226, 166), (226, 196, 132))
    elif kind == "snow":
        p.band(0, SIDE, (176, 206, 236), (230, 238, 248))
        for x in p.rng.sample(range(16, SIDE, 32), 3):
            p.peak(x, h + 2, 32, p.rng.choice((32, 40)), (242, 246, 252), (150, 170, 198))
        p.hill(h + 2, 3, (252, 253, 255), (216, 228, 242))
    elif kind == "night":
        p.band(0, SIDE, (12, 16, 54), (44, 50, 108))
        p.stars(10, 80)
        p.hill(h + 2, 4, (26, 42, 50), (12, 22, 30))
    elif kind == "sunset":
        p.band(0, SIDE, (98, 62, 132), (255, 172, 72))
        p.disc(p.rng.choice((24, 64, 104)), h - 6, 12, (255, 220, 120))
        p.hill(h + 2, 4, (90, 46, 70), (46, 26, 50))
    elif kind == "space":
        p.band(0, SIDE, (8, 6, 24), (34, 16, 58))
        p.stars(16, SIDE)
        x, y = p.rng.choice(((16, 16), (112, 16), (16, 112), (112, 112)))
        p.disc(x, y, 10, (206, 150, 92))
    return p.pixels()


@functools.cache
def background(name, variant=0):
    """Float RGB picture, SIDE x SIDE x 3; flat backgrounds have one variant."""
    if name in PLAIN:
        return np.broadcast_to(np.array(PLAIN[name], np.float32) / 255, (SIDE, SIDE, 3))
    return _paint(name, variant % VARIANTS)


def variants(name):
    return 1 if name in PLAIN else VARIANTS
