"""Trains the transformer to predict picture tokens from prompts; resumable, endless, with a
constant learning rate.

`--cooldown N` starts from the newest checkpoint, lowers the rate to zero over N steps and writes
the result to a separate file. That copy is exported; the run at constant rate can continue from its
own checkpoint. `--sight N` also trains the understanding part in the same steps, with N pictures
each. Several processes share the work if RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT are set, as
torchrun does.
"""
import argparse
import dataclasses
import os
import signal
import time

import torch
import torch.distributed as dist

import factors
import patches
import scenes
import sight
import stream
import tokenizer as text
from optim import Average, Optimiser, mixed_precision
from transformer import Config, Storybook

FILE, COOLED = "transformer.pt", "transformer-cooled.pt"
VALIDATION = 40_000_000                        # first seed of the validation pictures


SEEN = 1.                                     # most of understanding's gradient, per drawing's


def is_matrix(name, p):
    return p.dim() == 2 and any(part in name for part in (".layers.", ".blocks.", "output_mlp_projector")) and p.shape[1] > 8


def is_tower(name):
    return name.startswith(("vision_model.", "aligner."))


def sees(name):
    """Whether a parameter belongs only to the understanding part."""
    return is_tower(name) or name.startswith("language_model.lm_head.")


def build(folder):
    tokens = text.load(folder)
    codes = len(patches.load(folder)["patches"])
    return Storybook(Config(vocabulary=text.rows(tokens), codes=codes))


def adopt(model, state, folder):
    """Loads the weights of a checkpoint into a new model. The checkpoint may lack shared parts of
    the image head, and may lack the understanding part."""
    if state is not None:
        state = {name: value for name, value in model.state_dict().items() if sees(name)} | state
    if state is not None and not factors.is_shared(state):
        model.load_state_dict(state)
    factors.share(model, folder)
    if state is not None and factors.is_shared(state):
        model.load_state_dict(state)


def save(path, **content):
    torch.save(content, path + ".new")
    os.replace(path + ".new", path)


class Stop:
    """Becomes true on SIGTERM or SIGINT, so that a training saves before it ends."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_):
        self.asked = True

    def __bool__(self):
        return self.asked


class Team:
    """The processes that train together; a single process exchanges nothing."""

    def __init__(self):
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        if self.size > 1:
            dist.init_process_group("gloo")

    def agree(self, gradients, *orders):
        """Averages the gradients in place; returns the orders of rank 0."""
        if self.size == 1:
            return orders
        mine = torch.tensor([float(o) for o in orders]) * (self.size if self.rank == 0 else 0)
        parts = [*gradients, mine]
        flat = torch.cat([p.flatten() for p in parts])
        dist.all_reduce(flat)
        averages = (flat / self.size).split([p.numel() for p in parts])
        torch._foreach_copy_(gradients, [v.view_as(g) for v, g in zip(averages, gradients)])
        return averages[-1].tolist()


def visible(codes, share):
    """Which picture tokens are inputs: in `share` of the rows a random part, in all other rows all
    tokens.

    The first token of a thing tells what the thing is, and the model could then just copy. With
    hidden tokens it must read the prompt.
    """
    part = torch.where(torch.rand(len(codes), 1) < share, torch.rand(len(codes), 1), 1.)
    return torch.rand(len(codes), codes.shape[1] - 1) < part


def validation(folder, batch, what, lesson="all"):
    source = stream.Stream(folder, batch, VALIDATION // batch, what, lesson=lesson)
    data = [next(source) for _ in range(4)]
    source.close()
    return data


def add_gradients(parameters, others):
    """Adds `others` (a gradient or None per parameter) to the gradients. For parameters that have
    both, `others` is scaled to at most SEEN times the norm of the existing gradients."""
    both = [(p, g) for p, g in zip(parameters, others) if g is not None and p.grad is not None]
    here, there = (torch.nn.utils.get_total_norm(gs) for gs in ([p.grad for p, _ in both], [g for _, g in both]))
    scale = min(1., SEEN * (here / there).item()) if both else 1.
    for p, g in zip(parameters, others):
        if g is not None:
            p.grad = g if p.grad is None else p.grad.add_(g, alpha=scale)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--steps", type=int, default=1_000_000)
    p.add_argument("--minutes", type=float, default=1e9)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--matrix-rate", type=float, default=.01)
    p.add_argument("--other-rate", type=float, default=1e-3)
    p.add_argument("--warmup", type=int, default=100)
    p.add_argument("--cooldown", type=int, default=0)
    p.add_argument("--guided", type=float, default=0., help="train guided logits, with weights from 1 to this")
    p.add_argument("--begin", help="start from this checkpoint's weights, with a fresh optimiser")
    p.add_argument("--hide", type=float, default=.5, help="share of rows in which picture tokens are hidden")
    p.add_argument("--lesson", choices=scenes.LESSONS, default="all", help="which scenes to draw (scenes.sample)")
    p.add_argument("--sight", type=int, default=0, help="pictures to be understood in each step")
    p.add_argument("--keep-tower", action="store_true", help="leave the vision tower and its aligner as they are")
    p.add_argument("--rate-scale", type=float, default=1.)
    p.add_argument("--report", type=float, default=60., help="seconds between validations")
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    team = Team()
    path = os.path.join(a.checkpoints, FILE)
    model = build(a.checkpoints)
    tokens = text.load(a.checkpoints)
    eyes = sight.Sight(model.aligner.layers[0].in_features, model.config.width, tokens, model.config.positions)
    thinks = a.lesson == "plans"
    for name, parameter in model.named_parameters():
        learns = bool(a.sight) or not sees(name) or thinks and not is_tower(name)
        parameter.requires_grad_(learns and not (a.keep_tower and is_tower(name)))
    saved = torch.load(a.begin or path) if a.begin or os.path.exists(path) else None
    step, seen = (saved["step"], saved["seen"]) if saved else (0, 0)
    adopt(model, saved and (saved.get("average", saved["model"]) if a.begin else saved["model"]), a.checkpoints)
    if saved and "sight" in saved:
        eyes.load_state_dict(saved["sight"], strict=False)
    taught = torch.nn.ModuleList([model, eyes] if a.sight else [model])
    optimiser = Optimiser(taught, is_matrix, a.matrix_rate, a.other_rate, matrix_decay=.01)
    average = Average(model, .998)
    if saved and not a.begin:
        average.model.load_state_dict(saved["average"])
        optimiser.restore(saved["optimiser"])
    first, last = step, step + a.cooldown if a.cooldown else a.steps
    pad = tokens.token_to_id(text.PAD)

    def loss_of(ids, real, thought, codes, weights, seen):
        if a.guided:
            return model.guided_loss(ids, real, thought, codes, pad, weights, seen)
        return model.loss(ids, real, thought, codes, seen)

    def loss_of_sight(model, *examples):
        return torch.stack(eyes.loss(model, *examples))

    if a.compile:
        loss_of, loss_of_sight = torch.compile(loss_of), torch.compile(loss_of_sight)
    unseen = -(-seen // a.batch)                # pictures seen again would be memorised
    batches = stream.Stream(a.checkpoints, a.batch, unseen + team.rank, "text", stride=team.size, lesson=a.lesson)
    held = validation(a.checkpoints, a.batch, "text", a.lesson)
    if a.sight:
        shown = stream.Stream(a.checkpoints, a.sight, unseen + team.rank, "sight", stride=team.size)
        held_shown = validation(a.checkpoints, a.sight, "sight")
    start = told = kept = time.time()
    stop = Stop()
    running, until = 0., 0
    print(f"{sum(q.numel() for q in model.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)
    while step < last and not stop:
        row, codes = next(batches)
        with mixed_precision():
            drawn, thought = loss_of(*row, codes, 1 + (a.guided - 1) * torch.rand(len(codes)), visible(codes, a.hide))
            if a.sight:
                loss_of_sight(model, *next(shown)).sum().backward()
                understood = [q.grad for q in optimiser.everything]
                optimiser.clear()
        (drawn + thought).backward()
        if a.sight:
            add_gradients(optimiser.everything, understood)
        if a.cooldown:                          # by steps, or by time if that ends first
            scale = max(0, 1 - max((step - first) / a.cooldown, (time.time() - start) / (60 * a.minutes)))
        else:
            scale = min(1, (step - first + 1) / a.warmup)
        scale *= a.rate_scale
        if time.time() - start > 60 * a.minutes:
            stop.asked = True
        scale, ending = team.agree([q.grad for q in optimiser.everything], scale, bool(stop))
        stop.asked = ending > .5
        optimiser.step(scale)
        step, seen = step + 1, seen + a.batch * team.size
        average.update(model, step)
        running, until = running + drawn.item(), until + 1
        if team.rank:
            continue
        if time.time() - told > a.report or step == last or stop:
            with torch.no_grad(), mixed_precision():
                now, mean = (sum(torch.stack(m.loss(*row, c)) for row, c in held) / len(held) for m in (model, average.model))
                said = sum(loss_of_sight(average.model, *e) for e in held_shown) / len(held_shown) if a.sight else torch.zeros(4)
            speed = (step - first) * a.batch * team.size / (time.time() - start)
            print(f"step {step} pictures {seen} train {running / until:.4f} validation {now[0]:.4f} averaged {mean[0]:.4f} "
                  f"thoughts {(1 + thinks) * mean[1]:.4f} "
                  f"labels {said[0]:.3f} words {said[1]:.3f} verdicts {said[2]:.3f} truth {said[3]:.3f} "
                  f"{speed:.1f} pictures/s {time.time() - start:.0f} s", flush=True)
            running, until, told = 0., 0, time.time()
        if time.time() - kept > 300 or step == last or stop:
            content = dict(model=model.state_dict(), step=step, seen=seen, batch=a.batch, config=dataclasses.asdict(model.config))
            if a.sight:
                content.update(sight=eyes.state_dict())
            if not a.cooldown:
                content.update(average=average.model.state_dict(), optimiser=optimiser.state())
            save(os.path.join(a.checkpoints, COOLED) if a.cooldown else path, **content)
            kept = time.time()
    batches.close()


if __name__ == "__main__":
    main()
