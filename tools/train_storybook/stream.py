"""Endless training batches from background processes, resumable: batch number n is always the same."""
import random
import signal

import numpy as np
import torch
import torch.multiprocessing as mp

import patches
import scenes
import tokenizer as text


class Teacher:
    """Picture -> codes with a memory of cells seen before (most cells come back all the time)."""

    def __init__(self, centres):
        self.centres, self.known = centres, {}

    def __call__(self, picture):
        cells = picture.reshape(12, 8, 12, 8, 3).transpose(0, 2, 1, 3, 4).reshape(144, 192)
        keys = [cell.tobytes() for cell in cells]
        new = [i for i, key in enumerate(keys) if key not in self.known]
        if new:
            if len(self.known) > 400_000:
                self.known, new = {}, range(len(keys))
            index = patches.nearest(torch.from_numpy(cells[list(new)]).float() / 127.5 - 1, self.centres)
            self.known.update((keys[i], int(code)) for i, code in zip(new, index))
        return [self.known[key] for key in keys]


def _work(folder, batch, first, stride, what, queue):
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)      # the training decides when to end
    teacher = Teacher(patches.load(folder)["centres"])
    tokens = text.load(folder)
    bos, pad = tokens.token_to_id(text.BOS), tokens.token_to_id(text.PAD)
    number = first
    while True:
        pictures = np.empty((batch, 96, 96, 3), np.uint8)
        codes = np.empty((batch, 144), np.int64)
        ids = []
        for i in range(batch):
            picture, caption, _ = scenes.sample(number * batch + i)
            pictures[i], codes[i] = picture, teacher(picture)
            ids.append([bos] + tokens.encode(text.prompt(caption), add_special_tokens=False).ids)
        if what == "text":
            queue.put((pad_left(ids, pad, random.Random(f"drop {number}")), torch.from_numpy(codes)))
        else:
            queue.put((torch.from_numpy(pictures), torch.from_numpy(codes)))
        number += stride


PROMPT_WIDTH = 26


def pad_left(ids, pad, rng=None, drop=.1):
    """(text [B, W], real [B, W]); with `rng`, a share of prompts becomes the unguided row of the engine."""
    out = torch.full((len(ids), PROMPT_WIDTH), pad)
    real = torch.zeros(out.shape, dtype=torch.bool)
    for row, one in enumerate(ids):
        if rng and rng.random() < drop:
            one = [one[0]] + [pad] * (len(one) - 2) + [one[-1]]
        out[row, -len(one):] = torch.tensor(one)
        real[row, -len(one):] = True
    return out, real


class Stream:
    """Iterates over (text, real), codes or pictures, codes from batch number `start` on, every `stride`-th."""

    def __init__(self, folder, batch, start, what, stride=1):
        context = mp.get_context("spawn")
        self.queue = context.Queue(maxsize=6)
        self.process = context.Process(target=_work, args=(folder, batch, start, stride, what, self.queue), daemon=True)
        self.process.start()

    def __next__(self):
        return self.queue.get()

    def close(self):
        self.process.terminate()
