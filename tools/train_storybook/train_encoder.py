"""Trains the VQ encoder to predict the teacher's codes; resumable. Run it after train_vq.py.

The encoder sees the whole picture, the teacher one patch at a time; the encoder learns to agree
with the teacher.
"""
import argparse
import os
import time

import torch
import torch.nn.functional as F

import stream
import train_vq
from optim import Average, Optimiser, mixed_precision
from train_transformer import VALIDATION, Stop, save
from vq import to_network

FILE = "encoder.pt"
SHARPNESS = 30.                                # scale of cosines in the cross-entropy


def parts(model):
    """State dict of encoder and quant_conv only."""
    return {k: v for k, v in model.state_dict().items() if k.startswith(("encoder.", "quant_conv."))}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--steps", type=int, default=4000)
    p.add_argument("--minutes", type=float, default=1e9)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--matrix-rate", type=float, default=.01)
    p.add_argument("--other-rate", type=float, default=2e-3)
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    model = train_vq.build(a.checkpoints)
    saved = os.path.join(a.checkpoints, train_vq.COOLED)
    saved = saved if os.path.exists(saved) else os.path.join(a.checkpoints, train_vq.FILE)
    model.load_state_dict(torch.load(saved)["average"])
    vectors = model.quantize.vectors().detach()
    for module in (model.decoder, model.post_quant_conv, model.quantize):
        module.requires_grad_(False)
    optimiser = Optimiser(model, train_vq.is_matrix, a.matrix_rate, a.other_rate)
    average = Average(model, .99)
    path, step = os.path.join(a.checkpoints, FILE), 0
    if os.path.exists(path):
        saved = torch.load(path)
        model.load_state_dict(saved["model"], strict=False)
        average.model.load_state_dict(saved["average"], strict=False)
        optimiser.restore(saved["optimiser"])
        step = saved["step"]
    first = step

    def loss_of(codes, x):
        cosines = model.directions(x) @ vectors.t()
        match = cosines.gather(2, codes[..., None])
        return F.cross_entropy(SHARPNESS * cosines.flatten(0, 1), codes.flatten()) + (1 - match).mean()

    if a.compile:
        loss_of = torch.compile(loss_of)
    batches = stream.Stream(a.checkpoints, a.batch, step, "pictures")
    source = stream.Stream(a.checkpoints, 32, VALIDATION // 32, "pictures")
    pictures, codes = next(source)
    source.close()
    stop, start = Stop(), time.time()
    told = kept = start
    while step < a.steps and not stop:
        x, wanted = next(batches)
        with mixed_precision():
            loss = loss_of(wanted, to_network(x))
        loss.backward()
        optimiser.step(min(1, (step + 1) / 50, (a.steps - step) / (.3 * a.steps)))
        step += 1
        average.update(model, step)
        if time.time() - start > 60 * a.minutes:
            stop.asked = True
        last = step == a.steps or bool(stop)
        if time.time() - told > 60 or last:
            with torch.no_grad(), mixed_precision():
                found = average.model.encode(to_network(pictures))
                quality = train_vq.psnr(average.model.decode(found).float(), to_network(pictures))
            print(f"step {step} loss {loss.item():.3f} agreement {(found == codes).float().mean():.3f} PSNR {quality:.2f} dB "
                  f"{(step - first) * a.batch / (time.time() - start):.1f} pictures/s {time.time() - start:.0f} s", flush=True)
            told = time.time()
        if time.time() - kept > 300 or last:
            save(path, model=parts(model), average=parts(average.model), optimiser=optimiser.state(), step=step)
            kept = time.time()
    batches.close()


if __name__ == "__main__":
    main()
