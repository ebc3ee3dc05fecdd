"""The teacher of the picture tokens: the code of each cell of a planned picture.

A cell that a thing covers gets the code of that piece of the thing, whatever the background. All
other cells get the code of their background. So a thing has the same few tokens on every
background, which the transformer learns quickly. The decoder infers from neighbouring cells what
the background is. Pieces that look alike share a code.
"""
import argparse
import os
import time

import numpy as np
import torch

import backgrounds
import scenes
from sprites import THINGS, sprite

CELL = scenes.CELL
GRID = scenes.SIDE // CELL
FILE = "codes.pt"
TOUCHED = .02                                  # share of a cell that a thing must cover
ALIKE = .0012                                  # mean squared difference below which two patches share a code
ROUND = 64                                     # the number of codes is rounded up to a multiple of this


def cells(picture):
    """[n * 16, n * 16, c] -> [n * n, 16, 16, c] in raster order."""
    n, c = picture.shape[0] // CELL, picture.shape[2]
    return picture.reshape(n, CELL, n, CELL, c).transpose(0, 2, 1, 3, 4).reshape(n * n, CELL, CELL, c)


def merge(patches, counts):
    """Index of a representative for each row of `patches` [N, D]; representatives differ by at
    least ALIKE.

    The most frequent patches come first; each represents all remaining patches that are close
    enough.
    """
    x = torch.from_numpy(patches)
    square = x.square().sum(1)
    owner = torch.full((len(x),), -1)
    for i in np.argsort(-np.asarray(counts), kind="stable"):
        if owner[i] >= 0:
            continue
        gap = (square + square[i] - 2 * (x @ x[i])) / x.shape[1]
        owner[(gap < ALIKE) & (owner < 0)] = int(i)
        owner[i] = int(i)
    return owner.numpy()


def make():
    """{"sprites": {(thing, size): codes or -1 of its cells}, "backgrounds": {(name, variant): codes},
    "patches": uint8 [codes, 16, 16, 4], premultiplied RGBA; backgrounds are opaque}."""
    places, patches = [], []                   # where a patch is used: ("sprites" | "backgrounds", key, cell)
    for thing in THINGS:
        for size in (scenes.SMALL, scenes.SINGLE):
            for i, patch in enumerate(cells(sprite(thing, size))):
                if patch[..., 3].mean() > TOUCHED:
                    places.append(("sprites", (thing, size), i))
                    patches.append(patch)
    for name in backgrounds.ALL:
        for variant in range(backgrounds.variants(name)):
            for i, patch in enumerate(cells(np.array(backgrounds.background(name, variant)))):
                places.append(("backgrounds", (name, variant), i))
                patches.append(np.concatenate([patch, np.ones((CELL, CELL, 1), np.float32)], 2))
    # An opaque piece of a thing and a background never share a code, because the decoder treats
    # them differently.
    flat = np.stack(patches).reshape(len(patches), -1).astype(np.float32)
    kind = np.array([[40. * (where == "sprites")] for where, _, _ in places], np.float32)
    unique, first, inverse, counts = np.unique(np.round(np.hstack([flat, kind]) * 255).astype(np.int32), axis=0,
                                               return_index=True, return_inverse=True, return_counts=True)
    owner = merge(unique.astype(np.float32) / 255, counts)
    kept = {representative: code for code, representative in enumerate(np.unique(owner))}
    out = {"sprites": {}, "backgrounds": {}}
    for (where, key, i), row in zip(places, inverse.reshape(-1)):
        side = GRID if where == "backgrounds" else key[1] // CELL
        table = out[where].setdefault(key, np.full(side * side, -1))
        table[i] = kept[owner[row]]
    chosen = np.stack([patches[first[r]] for r in kept])
    spare = -len(chosen) % ROUND
    out["patches"] = np.concatenate([chosen, np.zeros((spare, *chosen.shape[1:]), np.float32)])
    out["used"] = len(chosen)
    return out


def encode(teacher, planned):
    """The codes of a plan (scenes.Plan), [64] in raster order."""
    variant = planned.variant % backgrounds.variants(planned.background)
    grid = teacher["backgrounds"][planned.background, variant].reshape(GRID, GRID).copy()
    for thing, size, x, y in planned.spots:
        side = size // CELL
        window, piece = grid[y:y + side, x:x + side], teacher["sprites"][thing, size].reshape(side, side)
        window[piece >= 0] = piece[piece >= 0]
    return grid.reshape(-1)


def starting_vectors(teacher, width):
    """Initial codebook of the decoder: leading principal components of the patches, on the unit
    sphere."""
    flat = torch.from_numpy(teacher["patches"]).flatten(1)
    spread = flat - flat.mean(0)
    _, scale, axes = torch.linalg.svd(spread, full_matrices=False)
    flat = spread @ axes[:width].t() / scale[:width].sqrt()
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.normalize(flat / flat.std() + .1 * noise, dim=1)


def load(folder):
    return torch.load(os.path.join(folder, FILE), weights_only=False)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    a = p.parse_args()
    os.makedirs(a.checkpoints, exist_ok=True)
    start = time.time()
    teacher = make()
    print(f"{teacher['used']} codes, {len(teacher['patches'])} rows, {time.time() - start:.0f} s")
    torch.save(teacher, os.path.join(a.checkpoints, FILE))


if __name__ == "__main__":
    main()
