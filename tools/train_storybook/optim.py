"""Optimiser parts shared by all trainings: Muon for matrices, AdamW for the rest, an average of the
weights, and the dtype of matrix products."""
import copy
import platform

import torch
import torch.distributed as dist


def multiplies_bfloat16():
    """Whether the processor has bfloat16 instructions. Without them, PyTorch's bfloat16 products
    are forty times slower than those of floats."""
    try:
        with open("/proc/cpuinfo") as f:
            return "bf16" in f.read()
    except OSError:
        return platform.machine() == "arm64"


FAST = torch.bfloat16 if multiplies_bfloat16() else torch.float32


def mixed_precision():
    """Context for forward passes: bfloat16 products if the processor has them."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=FAST == torch.bfloat16)


def orthogonalise(batch, rounds=5):
    """Newton-Schulz iteration towards the nearest orthogonal matrices, for a stack [n, rows,
    columns]."""
    x = batch.to(FAST)
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Muon:
    """Momentum followed by orthogonalisation. Matrices of equal shape are processed as one stack
    and distributed over the processes of a team."""

    def __init__(self, parameters, momentum=.95):
        self.momentum = momentum
        self.rank, self.size = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.groups = {}
        for p in parameters:
            self.groups.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.buffers = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, rate, decay=0.):
        for shape, parameters in self.groups.items():
            gradient = torch.stack([p.grad.reshape(shape) for p in parameters])
            buffer = self.buffers[shape].mul_(self.momentum).add_(gradient)
            update, mine = torch.zeros_like(gradient), slice(self.rank, None, self.size)
            update[mine] = orthogonalise((gradient + self.momentum * buffer)[mine]) * max(1, shape[0] / shape[1]) ** .5
            if self.size > 1:
                dist.all_reduce(update)
            for p, u in zip(parameters, update):
                p.mul_(1 - rate * decay).add_(u.reshape(p.shape), alpha=-rate)

    def state(self):
        return {str(k): v for k, v in self.buffers.items()}

    def restore(self, state):
        for k in self.buffers:
            self.buffers[k].copy_(state[str(k)])


class Optimiser:
    """Muon for the parameters chosen by `is_matrix(name, parameter)`, AdamW for all others."""

    def __init__(self, model, is_matrix, matrix_rate, other_rate, matrix_decay=.0):
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        matrices = [p for n, p in named if is_matrix(n, p)]
        self.everything = [p for _, p in named]
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW([p for n, p in named if not is_matrix(n, p)], lr=other_rate,
                                      betas=(.9, .995), weight_decay=0., foreach=True)
        self.matrix_rate, self.other_rate, self.matrix_decay = matrix_rate, other_rate, matrix_decay

    def step(self, scale):
        """One update with both learning rates multiplied by `scale`; clears the gradients."""
        torch.nn.utils.clip_grad_norm_(self.everything, 1., foreach=True)
        self.muon.step(self.matrix_rate * scale, self.matrix_decay)
        for group in self.adam.param_groups:
            group["lr"] = self.other_rate * scale
        self.adam.step()
        self.clear()

    def clear(self):
        for p in self.everything:
            p.grad = None

    def state(self):
        return {"muon": self.muon.state(), "adam": self.adam.state_dict()}

    def restore(self, state):
        self.muon.restore(state["muon"])
        self.adam.load_state_dict(state["adam"])


class Average:
    """Exponential moving average of a model's weights; the decay warms up with the step count."""

    def __init__(self, model, decay):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model, step):
        decay = min(self.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)
