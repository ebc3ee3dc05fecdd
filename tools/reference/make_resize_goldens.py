"""Writes tests/golden/squared.json and fitted.json: Pillow's results for generated pictures, as
inputs of the vision tower and of the VQ encoder.

usage: make_resize_goldens.py DIRECTORY

The pictures are computed by a formula, so that a test can make them too. Of each result, a checksum
and a few bytes are stored. Needs Pillow before 12.2, with which the models were made. Later
versions resize pictures that lose much more height than width vertically first, which gives other
bytes.
"""
import json
import pathlib
import sys

import numpy
import PIL
from PIL import Image

# width, height, size of the square. Larger, smaller, equal; thin pictures reach the shortest side
# of 14.
CASES = [(37, 23, 32), (23, 37, 32), (384, 384, 384), (640, 480, 384), (480, 641, 384), (1000, 3, 96), (2, 300, 96),
         (17, 17, 96), (5, 9, 128), (1, 1, 48), (383, 385, 384), (1279, 719, 128), (129, 128, 128), (97, 96, 96),
         (200, 40, 96), (170, 30, 128), (40, 1, 96), (30, 210, 96), (3, 1200, 384)]

# The same for the encoder; its sizes are those that models draw. Slightly, much and extremely wider
# than high, and the reverse, with odd and even remainders on both sides of the middle.
FITTED = [(384, 384, 384), (640, 480, 384), (480, 641, 384), (97, 96, 96), (400, 100, 96), (401, 100, 96), (100, 403, 96),
          (500, 100, 128), (100, 500, 128), (501, 100, 96), (17 * 31, 3 * 31, 128), (3 * 31, 17 * 31, 128), (40, 1, 96), (1, 40, 96),
          (1201, 30, 96), (30, 1201, 96), (70, 10, 64), (10, 70, 64), (1, 7, 48), (7, 1, 48), (2047, 3, 128), (3, 2047, 128),
          (4001, 100, 64), (100, 4001, 64)]


def picture(width, height):
    """Smooth gradients, hard edges and noise; each byte is a function of its position."""
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
    noise = (x * 1103515245 + y * 12345 + c * 2654435761 + x * y * 69069) % (1 << 32) >> 24
    slope = (x * 255 // max(width - 1, 1) + y * 3 + c * 40) % 256
    edges = ((x // 5 + y // 7 + c) % 2) * 255
    kind = (x * 3 // width + y * 2 // height) % 3
    return numpy.select([kind == 0, kind == 1], [noise, slope], edges).astype(numpy.uint8)


def squared(image, size):
    """Steps of the original: long side to `size`, bicubic, pasted in the middle of a grey
    square."""
    longest = max(image.size)
    width = max(int(image.width / longest * size), 14)
    height = max(int(image.height / longest * size), 14)
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    square = Image.new("RGB", (size, size), (127, 127, 127))
    square.paste(small, ((size - width) // 2, (size - height) // 2))
    return square


def fitted(image, size):
    """The training target for drawing: short side to `size`, bicubic, and the middle of the long
    side."""
    shortest = min(image.size)
    whole = image.resize((image.width * size // shortest, image.height * size // shortest), Image.Resampling.BICUBIC)
    left, top = (whole.width - size) // 2, (whole.height - size) // 2
    return whole.crop((left, top, left + size, top + size))


def checksum(data):
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{value:016x}"


def cases_of(sizes, prepare):
    cases = []
    for width, height, size in sizes:
        data = prepare(Image.fromarray(picture(width, height)), size).tobytes()
        step = max(len(data) // 90, 1)
        cases.append({"width": width, "height": height, "size": size, "checksum": checksum(data), "step": step,
                      "bytes": list(data[::step])})
    return cases


def write(path, content):
    text = json.dumps({"made_with": {"pillow": PIL.__version__}} | content, separators=(",", ":"))
    path.write_text(text.replace('{"width"', '\n{"width"') + "\n")


def main():
    if tuple(int(part) for part in PIL.__version__.split(".")[:2]) >= (12, 2):
        sys.exit(f"Pillow {PIL.__version__} resizes tall pictures in another order than the models' own; install pillow<12.2")
    values = ((numpy.arange(256) * 0.00392156862745098).astype(numpy.float32) - numpy.float32(0.5)) / numpy.float32(0.5)
    directory = pathlib.Path(sys.argv[1])
    write(directory / "squared.json", {"values": [float(v) for v in values], "cases": cases_of(CASES, squared)})
    write(directory / "fitted.json", {"cases": cases_of(FITTED, fitted)})


if __name__ == "__main__":
    main()
