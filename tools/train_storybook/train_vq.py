"""Trains the VQ decoder and the codebook on the teacher's codes; resumable.

The codes are fixed (see patches.py), so this can run in parallel with the training of the
transformer. As there, the learning rate is constant. `--cooldown N` makes a copy to export: it
lowers the rate to zero over N steps on whole pictures.
"""
import argparse
import dataclasses
import os
import random
import time

import torch

import patches
import stream
from optim import Average, Optimiser, mixed_precision
from train_transformer import VALIDATION, Stop, save
from vq import VQ, Config, Norm, to_network

FILE, COOLED = "vq.pt", "vq-cooled.pt"
CALM = 12.                                     # largest activation before a norm, per root mean square, that costs nothing


def is_matrix(name, p):
    return p.dim() == 4 and min(p.shape[:2]) > 8


def slopes(x, step):
    return x[..., step:] - x[..., :-step], x[..., step:, :] - x[..., :-step, :]


def picture_loss(y, x):
    gap = y - x
    loss = gap.abs().mean() + .5 * gap.square().mean()
    for step in (1, 2):
        for g in slopes(gap, step):                       # slopes are linear: the gap's suffice
            loss = loss + g.abs().mean()
    return loss


class Peaks:
    """The cost of single huge activations before the norms of a decoder.

    One pixel that is a thousand times larger than all others makes the statistics of its group
    constant, which training likes; but it shows as a speck at its place in every picture.
    """

    def __init__(self, decoder):
        self.ratios = []
        for module in decoder.modules():
            if isinstance(module, Norm):
                module.register_forward_pre_hook(self._note)

    def _note(self, _, inputs):
        if not torch.is_grad_enabled():
            return
        x = inputs[0].float()
        self.ratios.append(x.abs().amax((1, 2, 3)) / x.square().mean((1, 2, 3)).sqrt())

    def take(self):
        """(cost, largest ratio) of the forward passes since the last call."""
        ratios, self.ratios = torch.stack(self.ratios), []
        return (ratios / CALM).log().clamp(min=0).mean(1).sum(), ratios.max()


def psnr(y, x):
    return -10 * ((y.clamp(-1, 1) - x) / 2).square().mean((1, 2, 3)).log10().mean().item()


def crop(pictures, codes, cells, rng):
    """The same random window of `cells` x `cells` codes from each picture."""
    y, x = rng.randint(0, patches.GRID - cells), rng.randint(0, patches.GRID - cells)
    codes = codes.reshape(-1, patches.GRID, patches.GRID)[:, y:y + cells, x:x + cells].flatten(1)
    size = patches.CELL
    return pictures[:, size * y:size * (y + cells), size * x:size * (x + cells)], codes


def build(folder):
    teacher = patches.load(folder)
    model = VQ(Config(codes=len(teacher["patches"])))
    model.quantize.embedding.weight.data.copy_(patches.starting_vectors(teacher, model.config.code_width))
    return model.to(memory_format=torch.channels_last)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--steps", type=int, default=12000)
    p.add_argument("--minutes", type=float, default=1e9)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--crop", type=int, default=5, help="codes a side of the windows trained on; 8 is the whole picture")
    p.add_argument("--cooldown", type=int, default=0)
    p.add_argument("--begin", help="start from this checkpoint's weights, with a fresh optimiser, and keep its code vectors")
    p.add_argument("--peaks", type=float, default=.02, help="weight of the cost of single huge activations")
    p.add_argument("--rate-scale", type=float, default=1.)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--matrix-rate", type=float, default=.01)
    p.add_argument("--other-rate", type=float, default=2e-3)
    p.add_argument("--report", type=float, default=60., help="seconds between validations")
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    path = os.path.join(a.checkpoints, FILE)
    model = build(a.checkpoints)
    for module in (model.encoder, model.quant_conv):
        module.requires_grad_(False)                      # trained by train_encoder.py
    model.quantize.requires_grad_(not a.begin)            # a trained encoder knows its code vectors
    optimiser = Optimiser(model, is_matrix, a.matrix_rate, a.other_rate)
    average = Average(model, .995)
    step = 0
    encoder_trained = False
    if a.begin:
        saved = torch.load(a.begin)
        model.load_state_dict(saved["average"])
        average.model.load_state_dict(saved["average"])
        encoder_trained = saved.get("encoder_trained", False)
    elif os.path.exists(path):
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        average.model.load_state_dict(saved["average"])
        optimiser.restore(saved["optimiser"])
        step = saved["step"]
        encoder_trained = saved.get("encoder_trained", False)
    first, last = step, step + a.cooldown if a.cooldown else a.steps
    cells = patches.GRID if a.cooldown else a.crop

    peaks = Peaks(model.decoder)

    def loss_of(codes, x):
        return picture_loss(model.decode(codes).float(), x), *peaks.take()

    if a.compile:
        loss_of = torch.compile(loss_of)
    batches = stream.Stream(a.checkpoints, a.batch, step, "pictures")
    source = stream.Stream(a.checkpoints, 32, VALIDATION // 32, "pictures")
    held = [next(source) for _ in range(2)]
    source.close()
    start = told = kept = time.time()
    stop = Stop()
    running, until = 0., 0
    print(f"decoder {sum(q.numel() for q in model.decoder.parameters()) / 1e6:.2f} M, encoder "
          f"{sum(q.numel() for q in model.encoder.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)
    while step < last and not stop:
        pictures, codes = crop(*next(batches), cells, random.Random(step))
        with mixed_precision():
            loss, peak_cost, largest = loss_of(codes, to_network(pictures))
        (loss + a.peaks * peak_cost).backward()
        optimiser.step(a.rate_scale * ((last - step) / a.cooldown if a.cooldown else min(1, (step + 1) / 50)))
        step += 1
        if time.time() - start > 60 * a.minutes:
            stop.asked = True
        average.update(model, step)
        running, until = running + loss.item(), until + 1
        if time.time() - told > a.report or step == last:
            measured = model if a.cooldown else average.model
            with torch.no_grad(), mixed_precision():
                value = sum(psnr(measured.decode(c).float(), to_network(x)) for x, c in held) / len(held)
            speed = (step - first) * a.batch / (time.time() - start)
            print(f"step {step} loss {running / until:.4f} peak {largest:.1f} PSNR {value:.2f} dB {speed:.1f} pictures/s "
                  f"{time.time() - start:.0f} s", flush=True)
            running, until, told = 0., 0, time.time()
        if not a.cooldown and (time.time() - kept > 300 or step == last or stop):
            save(path, model=model.state_dict(), average=average.model.state_dict(), optimiser=optimiser.state(),
                 step=step, config=dataclasses.asdict(model.config), encoder_trained=encoder_trained)
            kept = time.time()
    if a.cooldown:
        save(os.path.join(a.checkpoints, COOLED), average=model.state_dict(), step=step, config=dataclasses.asdict(model.config),
             encoder_trained=encoder_trained)
    batches.close()


if __name__ == "__main__":
    main()
