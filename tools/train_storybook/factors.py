"""Shared parameters of picture codes: each row of the image head is a sum of shared vectors.

A red car and a blue car have different codes in each cell. If each row of the head were learnt
separately, the model could not draw a combination that no caption has ("purple car"). Therefore the
row of a code is the sum of vectors of its colour, its noun, its cell within the thing and its piece
of the shape, each learnt from all codes, and a small part of its own. Only training has the shared
parts: `fold` replaces them by the plain matrix of the model folder.
"""
import torch
from torch import nn
from torch.nn.utils import parametrize

import patches

OWN = .1                                       # scale of the own part of a coloured code


def table(teacher):
    """(shares [codes, factors], coloured [codes]). A row of `shares` is the mean of a code's
    factors over its uses."""
    columns, entries = {}, []                  # entries: (code, factor), once per use
    uses = torch.zeros(len(teacher["patches"]))
    coloured = torch.zeros(len(uses), dtype=torch.bool)
    for (thing, size), codes in teacher["sprites"].items():
        colour, noun = thing
        for cell, code in enumerate(codes):
            if code < 0:
                continue
            said = [("noun", noun), ("place", size, cell)]
            if colour:
                said += [("colour", colour), ("piece", noun, size, cell)]
                coloured[code] = True
            uses[code] += 1
            entries += [(code, columns.setdefault(factor, len(columns))) for factor in said]
    for (name, _), codes in teacher["backgrounds"].items():
        for code in codes:
            uses[code] += 1
            entries.append((code, columns.setdefault(("background", name), len(columns))))
    shares = torch.zeros(len(uses), len(columns))
    where = torch.tensor(entries).t()
    shares.index_put_((where[0], where[1]), torch.ones(len(entries)), accumulate=True)
    return shares / uses.clamp(min=1)[:, None], coloured


class Shared(nn.Module):
    """own [codes, width] -> rows [codes, width]; `shared` [factors, width] are the shared
    vectors."""

    def __init__(self, shares, coloured, width):
        super().__init__()
        self.register_buffer("shares", shares, persistent=False)
        self.register_buffer("felt", torch.where(coloured, OWN, 1.)[:, None], persistent=False)
        self.shared = nn.Parameter(torch.zeros(shares.shape[1], width))

    def forward(self, own):
        return self.felt * own + self.shares @ self.shared

    def right_inverse(self, rows):
        """Splits plain rows: shared parts by least squares. Own parts of coloured codes begin at
        zero."""
        with torch.no_grad():
            self.shared.copy_(torch.linalg.lstsq(self.shares, rows, driver="gelsd").solution)
            return torch.where(self.felt < 1, 0., rows - self.shares @ self.shared)


def share(model, folder):
    """Makes the image head of a transformer.Storybook a sum of shared parts, which begin at its
    current rows."""
    shares, coloured = table(patches.load(folder))
    head = model.gen_head.vision_head
    parametrize.register_parametrization(head, "weight", Shared(shares, coloured, head.in_features))


def is_shared(state):
    """Whether a state dict was saved with shared parts."""
    return "gen_head.vision_head.parametrizations.weight.original" in state


def fold(model):
    """Makes the head plain again, in place."""
    if parametrize.is_parametrized(model.gen_head.vision_head):
        parametrize.remove_parametrizations(model.gen_head.vision_head, "weight")
