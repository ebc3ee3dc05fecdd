"""Trains the transformer to predict picture tokens from prompts; resumable, endless at a constant rate.

`--cooldown N` instead starts from the newest checkpoint, lets the rate fall to zero over N steps and writes
the result beside it: that is the copy to export, and the constant-rate run can go on from where it was.
"""
import argparse
import dataclasses
import os
import signal
import time

import torch

import patches
import stream
import tokenizer as text
from optim import Average, Optimiser
from transformer import Config, Storybook

FILE, COOLED = "transformer.pt", "transformer-cooled.pt"
VALIDATION = 40_000_000                        # first seed of the validation pictures


def is_matrix(name, p):
    return p.dim() == 2 and (".layers." in name or "output_mlp_projector" in name) and p.shape[1] > 8


def build(folder):
    tokens = text.load(folder)
    codes = len(patches.load(folder)["centres"])
    return Storybook(Config(vocabulary=text.rows(tokens), codes=codes))


def save(path, **content):
    torch.save(content, path + ".new")
    os.replace(path + ".new", path)


class Stop:
    """Turns true on SIGTERM or SIGINT, so that a training saves before it ends."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_):
        self.asked = True

    def __bool__(self):
        return self.asked


def validation(folder, batch):
    source = stream.Stream(folder, batch, VALIDATION // batch, "text")
    data = [next(source) for _ in range(4)]
    source.close()
    return data


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--steps", type=int, default=1_000_000)
    p.add_argument("--minutes", type=float, default=1e9)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--matrix-rate", type=float, default=.02)
    p.add_argument("--other-rate", type=float, default=2e-3)
    p.add_argument("--warmup", type=int, default=100)
    p.add_argument("--cooldown", type=int, default=0)
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    path = os.path.join(a.checkpoints, FILE)
    model = build(a.checkpoints)
    for p_ in (model.language_model.lm_head.weight,):
        p_.requires_grad_(False)                # nothing here teaches it; it belongs to understanding
    optimiser = Optimiser(model, is_matrix, a.matrix_rate, a.other_rate, matrix_decay=.01)
    average = Average(model, .998)
    step = 0
    if os.path.exists(path):
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        average.model.load_state_dict(saved["average"])
        optimiser.restore(saved["optimiser"])
        step = saved["step"]
    first, last = step, step + a.cooldown if a.cooldown else a.steps
    loss_of = torch.compile(model.loss) if a.compile else model.loss
    batches = stream.Stream(a.checkpoints, a.batch, step, "text")
    held = validation(a.checkpoints, a.batch)
    start = told = kept = time.time()
    stop = Stop()
    running, until = 0., 0
    print(f"{sum(q.numel() for q in model.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)
    while step < last and not stop:
        (ids, real), codes = next(batches)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(ids, real, codes)
        loss.backward()
        scale = (last - step) / a.cooldown if a.cooldown else min(1, (step + 1) / a.warmup)
        optimiser.step(scale)
        step += 1
        if time.time() - start > 60 * a.minutes:
            stop.asked = True
        average.update(model, step)
        running, until = running + loss.item(), until + 1
        if time.time() - told > 60 or step == last:
            measured = average.model if not a.cooldown else model
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                value = sum(measured.loss(i, r, c).item() for (i, r), c in held) / len(held)
            speed = (step - first) * a.batch / (time.time() - start)
            print(f"step {step} pictures {step * a.batch} train {running / until:.4f} validation {value:.4f} "
                  f"{speed:.1f} pictures/s {time.time() - start:.0f} s", flush=True)
            running, until, told = 0., 0, time.time()
        if not a.cooldown and (time.time() - kept > 300 or step == last or stop):
            save(path, model=model.state_dict(), average=average.model.state_dict(), optimiser=optimiser.state(),
                 step=step, config=dataclasses.asdict(model.config), batch=a.batch)
            kept = time.time()
    if a.cooldown:
        save(os.path.join(a.checkpoints, COOLED), model=model.state_dict(), step=step,
             config=dataclasses.asdict(model.config), batch=a.batch)
    batches.close()


if __name__ == "__main__":
    main()
