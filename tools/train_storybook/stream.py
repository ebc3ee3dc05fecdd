"""Endless training batches from background processes. Resumable: batch number n is always the
same."""
import random
import signal

import numpy as np
import torch
import torch.multiprocessing as mp

import patches
import scenes
import sight
import thoughts
import tokenizer as text


def _work(folder, batch, first, stride, what, lesson, queue):
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)      # the training process decides when to stop
    teacher = patches.load(folder)
    tokens = text.load(folder)
    bos, pad = tokens.token_to_id(text.BOS), tokens.token_to_id(text.PAD)
    number = first
    while True:
        if what == "sight":
            queue.put(sight.batch(number * batch, batch, teacher, tokens))
            number += stride
            continue
        codes = np.empty((batch, patches.GRID ** 2), np.int64)
        plans, ids = [], []
        for i in range(batch):
            planned, caption, _ = scenes.sample(number * batch + i, lesson)
            codes[i] = patches.encode(teacher, planned)
            plans.append(planned)
            ids.append([bos] + tokens.encode(text.prompt(caption), add_special_tokens=False).ids)
        if what == "text":
            thinks = lesson == "plans" and number // stride % 2
            said = [tokens.encode(" " + thoughts.thought(p), add_special_tokens=False).ids if thinks else [] for p in plans]
            ids = [one[:-1] + words + one[-1:] for one, words in zip(ids, said)]
            rows, real = pad_left(ids, pad, random.Random(f"drop {number}"))
            queue.put(((rows, real, thought_tokens(rows, real, said, pad)), torch.from_numpy(codes)))
        else:
            pictures = np.stack([scenes.render(planned) for planned in plans])
            queue.put((torch.from_numpy(pictures), torch.from_numpy(codes)))
        number += stride


PROMPT_WIDTH = 26


def pad_left(ids, pad, rng=None, drop=.1):
    """(text [B, W], real [B, W]). With `rng`, a share of the prompts becomes the unconditional row,
    as in the engine."""
    longest = max(map(len, ids))
    out = torch.full((len(ids), PROMPT_WIDTH if longest <= PROMPT_WIDTH else -(-longest // 8) * 8), pad)
    real = torch.zeros(out.shape, dtype=torch.bool)
    for row, one in enumerate(ids):
        if rng and rng.random() < drop:
            one = [one[0]] + [pad] * (len(one) - 2) + [one[-1]]
        out[row, -len(one):] = torch.tensor(one)
        real[row, -len(one):] = True
    return out, real


def thought_tokens(rows, real, said, pad):
    """Which tokens of left-padded rows are of a thought or end it, [B, W]. Unconditional rows have
    none."""
    back = torch.arange(rows.shape[1], 0, -1)
    lengths = torch.tensor([len(words) + 1 if words else 0 for words in said])
    return (back[None] <= lengths[:, None]) & (rows[:, -2:-1] != pad) & real


class Stream:
    """Iterates over (text, real, thought), codes ("text"), pictures, codes ("pictures") or sight.batch
    ("sight"). Starts at batch number `start` and returns every `stride`-th batch. In
    the lesson "plans" every second batch has thoughts."""

    def __init__(self, folder, batch, start, what, stride=1, lesson="all"):
        context = mp.get_context("spawn")
        self.queue = context.Queue(maxsize=6)
        self.process = context.Process(target=_work, args=(folder, batch, start, stride, what, lesson, self.queue), daemon=True)
        self.process.start()

    def __next__(self):
        return self.queue.get()

    def close(self):
        self.process.terminate()
