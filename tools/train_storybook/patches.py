"""The teacher of the picture tokens: one code per 8x8 patch, chosen by k-means in pixel space.

A code depends on its own patch and on nothing else, so pasting a thing changes only the tokens it covers.
That makes the token statistics easy to learn; the decoder recovers detail from the neighbourhood.
"""
import argparse
import os
import time

import numpy as np
import torch

import scenes

CELL = 8
GRID = scenes.SIDE // CELL
CODES = 3072
FILE = "codes.pt"


def split(pictures):
    """uint8 [B, 96, 96, 3] -> float [B * 144, 192], cells in raster order."""
    b = len(pictures)
    cells = torch.as_tensor(pictures).reshape(b, GRID, CELL, GRID, CELL, 3).permute(0, 1, 3, 2, 4, 5)
    return cells.reshape(b * GRID * GRID, CELL * CELL * 3).float() / 127.5 - 1


def nearest(cells, centres):
    """Index of the closest centre for every cell; bf16 products, refined exactly among the best four."""
    half = (centres * centres).sum(1) / 2
    out = torch.empty(len(cells), dtype=torch.long)
    for i in range(0, len(cells), 16384):
        part = cells[i:i + 16384]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            score = (part @ centres.t()).float() - half
        best = score.topk(4, dim=1).indices
        gap = (part[:, None] - centres[best]).square().sum(2)
        out[i:i + 16384] = best.gather(1, gap.argmin(1, keepdim=True))[:, 0]
    return out


def encode(pictures, centres):
    return nearest(split(pictures), centres).reshape(len(pictures), GRID * GRID)


def kmeans(cells, weights, codes, rounds, seed=0):
    g = torch.Generator().manual_seed(seed)
    centres = cells[torch.multinomial(weights, codes, generator=g)].clone()
    for r in range(rounds):
        index = nearest(cells, centres)
        mass = torch.zeros(codes).index_add_(0, index, weights)
        total = torch.zeros_like(centres).index_add_(0, index, cells * weights[:, None])
        error = (cells - centres[index]).square().mean(1)
        centres = torch.where(mass[:, None] > 0, total / mass.clamp_min(1e-9)[:, None], centres)
        poor = mass < .02 * mass.mean()                   # move idle centres to badly served cells
        if r < rounds - 4 and poor.any():
            fresh = torch.multinomial(error * weights + 1e-12, int(poor.sum()), generator=g)
            centres[poor] = cells[fresh]
        print(f"  k-means {r}: error {(error * weights).sum() / weights.sum():.5f}, moved {int(poor.sum())}", flush=True)
    return centres


def collect(count, first=0):
    """Distinct cells of `count` training pictures and how often each occurs."""
    seen = {}
    for seed in range(first, first + count):
        picture = scenes.sample(seed)[0].reshape(GRID, CELL, GRID, CELL, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 192)
        for cell in picture:
            key = cell.tobytes()
            seen[key] = seen.get(key, 0) + 1
    cells = np.frombuffer(b"".join(seen), np.uint8).reshape(-1, 192)
    return torch.from_numpy(cells.copy()).float() / 127.5 - 1, torch.tensor(list(seen.values()), dtype=torch.float)


def starting_vectors(centres, width):
    """Code vectors to begin the decoder with: the leading principal components, on the unit sphere."""
    spread = centres - centres.mean(0)
    _, scale, axes = torch.linalg.svd(spread, full_matrices=False)
    flat = spread @ axes[:width].t() / scale[:width].sqrt()
    flat = flat / flat.std()
    return torch.nn.functional.normalize(flat + .3 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(1)), dim=1)


def load(folder):
    return torch.load(os.path.join(folder, FILE))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--pictures", type=int, default=16000)
    p.add_argument("--rounds", type=int, default=18)
    p.add_argument("--codes", type=int, default=CODES)
    a = p.parse_args()
    os.makedirs(a.checkpoints, exist_ok=True)
    start = time.time()
    cells, counts = collect(a.pictures)
    print(f"{len(cells)} distinct cells, {time.time() - start:.0f} s", flush=True)
    weights = counts.sqrt()
    centres = kmeans(cells, weights / weights.sum(), a.codes, a.rounds)
    test = np.stack([scenes.sample(10_000_000 + i)[0] for i in range(200)])
    cells = split(test)
    index = nearest(cells, centres)
    mse = ((cells - centres[index]) / 2).square().reshape(200, -1).mean(1)
    use = torch.bincount(index, minlength=a.codes)
    print(f"centres alone: {-10 * mse.log10().mean():.2f} dB, {int((use > 0).sum())} codes used, {time.time() - start:.0f} s")
    torch.save({"centres": centres}, os.path.join(a.checkpoints, FILE))


if __name__ == "__main__":
    main()
