"""The things that a storybook picture can show: emoji, tinted emoji and coloured shapes, as RGBA
sprites.

A *thing* is a pair (colour or None, noun). Each sprite is premultiplied float RGBA in 0..1. Emoji
come from Noto Color Emoji (SIL Open Font License 1.1); shapes are drawn here with Cairo.
"""
import colorsys
import functools
import math
import os

import cairo
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = os.environ.get("NOTO_COLOR_EMOJI", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
MASTER_SIZE = 160

COLOURS = {
    "red": (218, 42, 44), "orange": (246, 142, 28), "yellow": (252, 216, 44), "green": (48, 162, 72),
    "blue": (42, 98, 216), "purple": (136, 62, 178), "black": (36, 36, 42), "white": (250, 250, 250),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "ring")
EMOJI = {
    "cat": "🐈", "dog": "🐕", "horse": "🐎", "cow": "🐄", "pig": "🐖", "elephant": "🐘", "penguin": "🐧",
    "frog": "🐸", "panda": "🐼", "lion": "🦁", "fox": "🦊", "rabbit": "🐇", "apple": "🍎", "banana": "🍌",
    "strawberry": "🍓", "watermelon": "🍉", "mushroom": "🍄", "pizza": "🍕", "tree": "🌳", "palm tree": "🌴",
    "cactus": "🌵", "sunflower": "🌻", "sun": "☀️", "moon": "🌙", "snowman": "⛄", "airplane": "✈️",
    "rocket": "🚀", "sailboat": "⛵", "house": "🏠", "crown": "👑", "ghost": "👻", "robot": "🤖",
}
TINTED = {"car": "🚗", "balloon": "🎈", "butterfly": "🦋", "bird": "🐦", "book": "📕", "umbrella": "☂️"}
TINTS = ("red", "orange", "yellow", "green", "blue", "purple")

COLOURED_THINGS = [(c, s) for s in SHAPES for c in COLOURS] + [(c, t) for t in TINTED for c in TINTS]
PLAIN_THINGS = [(None, e) for e in EMOJI]
THINGS = COLOURED_THINGS + PLAIN_THINGS


def _emoji(character):
    """An emoji, cropped to its visible part and centred in a square."""
    canvas = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    font = ImageFont.truetype(FONT, 109)
    ImageDraw.Draw(canvas).text((20, 20), character, font=font, embedded_color=True)
    ink = canvas.crop(canvas.getbbox())
    side = max(ink.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(ink, ((side - ink.width) // 2, (side - ink.height) // 2))
    return np.asarray(square.resize((MASTER_SIZE, MASTER_SIZE), Image.LANCZOS)).astype(np.float32) / 255


def _tint(rgba, colour):
    """Changes the dominant hue of a sprite to `colour`; other hues (wheels, pages, beaks) stay."""
    rgb = np.ascontiguousarray(rgba[..., :3])
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    vivid = (saturation > 0.3) & (value > 0.25) & (rgba[..., 3] > 0.5)
    counts = np.histogram(hue[vivid], bins=36, range=(0, 360))[0]
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    dominant = 10 * int(np.argmax(smooth)) + 5
    distance = np.abs((hue - dominant + 180) % 360 - 180)
    weight = np.clip((55 - distance) / 20, 0, 1) * np.clip((saturation - 0.15) / 0.2, 0, 1)
    target_h, target_s, target_v = colorsys.rgb_to_hsv(*(v / 255 for v in COLOURS[colour]))
    body = vivid & (distance < 40)
    recoloured = np.stack([
        np.full_like(hue, 360 * target_h),
        np.clip(saturation / np.median(saturation[body]) * target_s, 0, 1),
        np.clip(value / np.median(value[body]) * target_v, 0, 1)], axis=-1)
    recoloured = cv2.cvtColor(recoloured.astype(np.float32), cv2.COLOR_HSV2RGB)
    mixed = rgb + (recoloured - rgb) * weight[..., None]
    return np.concatenate([mixed, rgba[..., 3:]], axis=-1)


def _outline(ctx, shape, r):
    """Adds the outline of `shape` to the path; it fits a circle of radius r around the origin."""
    corners = {
        "square": [(-.86, -.86), (.86, -.86), (.86, .86), (-.86, .86)],
        "triangle": [(0, -.95), (.98, .82), (-.98, .82)],
        "diamond": [(0, -1), (.74, 0), (0, 1), (-.74, 0)],
        "star": [((1, .46)[i % 2] * math.sin(i * math.pi / 5), -(1, .46)[i % 2] * math.cos(i * math.pi / 5))
                 for i in range(10)],
    }
    if shape in corners:
        for x, y in corners[shape]:
            ctx.line_to(x * r, y * r)
        ctx.close_path()
    elif shape == "heart":
        ctx.move_to(0, .92 * r)
        ctx.curve_to(-1.5 * r, -.1 * r, -.8 * r, -1.3 * r, 0, -.42 * r)
        ctx.curve_to(.8 * r, -1.3 * r, 1.5 * r, -.1 * r, 0, .92 * r)
        ctx.close_path()
    else:
        ctx.arc(0, 0, r * (.74 if shape == "ring" else 1), 0, 2 * math.pi)


def _shape(shape, colour):
    surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, MASTER_SIZE, MASTER_SIZE)
    ctx = cairo.Context(surface)
    ctx.translate(MASTER_SIZE / 2, MASTER_SIZE / 2)
    ctx.set_line_join(cairo.LINE_JOIN_ROUND)
    radius = MASTER_SIZE / 2 - 6
    fill = [v / 255 for v in COLOURS[colour]]
    edge = [.70 * v for v in fill]
    _outline(ctx, shape, radius)
    if shape == "ring":
        ctx.set_source_rgb(*edge)
        ctx.set_line_width(.5 * radius)
        ctx.stroke_preserve()
        ctx.set_source_rgb(*fill)
        ctx.set_line_width(.5 * radius - 12)
        ctx.stroke()
    else:
        ctx.set_source_rgb(*fill)
        ctx.fill_preserve()
        ctx.set_source_rgb(*edge)
        ctx.set_line_width(7)
        ctx.stroke()
    bgra = np.ndarray((MASTER_SIZE, MASTER_SIZE, 4), np.uint8, surface.get_data()).astype(np.float32) / 255
    return bgra[..., [2, 1, 0, 3]]                      # Cairo surfaces are premultiplied


@functools.cache
def master(thing):
    colour, noun = thing
    if noun in SHAPES:
        return _shape(noun, colour)
    rgba = _emoji(EMOJI[noun]) if colour is None else _tint(_emoji(TINTED[noun]), colour)
    return np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=-1)


MARGIN = 2                                   # free pixels around a sprite: neighbours never touch


@functools.cache
def sprite(thing, size):
    """Premultiplied RGBA of `thing`, size x size."""
    inner = size - 2 * MARGIN
    return np.pad(cv2.resize(master(thing), (inner, inner), interpolation=cv2.INTER_AREA),
                  ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))
