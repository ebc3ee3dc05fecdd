"""Training data and loss of the understanding part: pictures, questions about them, and the
expected answers.

An example is a picture and seven conversations about it, packed into one row. The picture comes
first, then the conversations; each conversation attends to the picture and to itself. The first
conversation describes the picture. The others say whether a statement is true. In every seventh
picture one thing is spoilt, and then no statement is true.
"""
import dataclasses
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import backgrounds
import patches
import scenes
import statements
import tokenizer as text
from sprites import COLOURS, EMOJI, SHAPES, TINTED

SPOILT = .15
NOISE = 6.                                     # grey levels; drawings are noisier than renderings
DESCRIPTION, STATEMENT = 32, 32                # tokens of a conversation: question and answer
STATEMENTS = 6                                 # per picture; half of them are true
WIDTHS = (DESCRIPTION, *[STATEMENT] * STATEMENTS)
IGNORED = -100
NOUNS = [*EMOJI, *TINTED, *SHAPES, *backgrounds.ALL]     # what a cell can show
TINTS = [None, *COLOURS]


@dataclasses.dataclass
class Words:
    """The ids around a picture and around an answer (docs/janus-pro.md 5.5)."""

    before: list                               # before the picture
    after: list                                # between picture and question
    assistant: list
    eos: int

    @staticmethod
    def of(tokens):
        ids = lambda s: tokens.encode(s, add_special_tokens=False).ids
        return Words([tokens.token_to_id(text.BOS), *ids("<|User|>: "), tokens.token_to_id(text.BEGIN_OF_IMAGE)],
                     [tokens.token_to_id("<end_of_image>")], ids("<|Assistant|>:"), tokens.token_to_id(text.EOS))


def conversation(tokens, words, question, answer, width, twin=None):
    """Returns [3, width]: inputs, targets of the answer, and whether the question can still be true
    at each token (1, 0). Without an answer there are no targets.

    `twin` is a true question, possibly the same one. The question can still be true up to the first
    token that differs from `twin`, and not after it.
    """
    asked = tokens.encode(f"\n{question}\n\n", add_special_tokens=False).ids + words.assistant
    said = tokens.encode(answer, add_special_tokens=False).ids + [words.eos] if answer else []
    inputs = asked + said[:-1]
    if len(inputs) > width:
        raise ValueError(f"{question!r} and {answer!r} are {len(inputs)} tokens")
    out = np.full((3, width), IGNORED)
    out[0] = words.eos
    out[0, :len(inputs)] = inputs
    out[1, len(asked) - 1:len(asked) - 1 + len(said)] = said
    if twin:
        true = tokens.encode(f"\n{twin}\n\n", add_special_tokens=False).ids + words.assistant
        parts = next((i for i, (a, b) in enumerate(zip(asked, true)) if a != b), len(asked))
        out[2, :len(asked)] = np.arange(len(asked)) < parts
    return out


def labels(teacher, planned):
    """Content of each cell, [2, 64]: index in NOUNS, index in TINTS."""
    nouns = np.full((patches.GRID, patches.GRID), NOUNS.index(planned.background))
    tints = np.zeros_like(nouns)
    for (colour, noun), size, x, y in planned.spots:
        side = size // scenes.CELL
        piece = teacher["sprites"][(colour, noun), size].reshape(side, side) >= 0
        nouns[y:y + side, x:x + side][piece] = NOUNS.index(noun)
        tints[y:y + side, x:x + side][piece] = TINTS.index(colour)
    return np.stack([nouns.reshape(-1), tints.reshape(-1)])


def example(number, teacher, tokens, words):
    """(picture uint8 [128, 128, 3], labels [2, 64], conversations [3, sum of WIDTHS]). The same
    number always gives the same example."""
    planned, _, scene = scenes.sample(number)
    rng = random.Random(f"sight {number}")
    spoilt = rng.random() < SPOILT
    verdicts = []
    for _ in range(STATEMENTS // 2):
        said = statements.true(scene, rng)
        verdicts += [(said, said, statements.NO if spoilt else statements.YES), (*statements.false(scene, rng), statements.NO)]
    unsaid = spoilt or any(map(scenes.held_out_colour, scene.things))
    description = None if unsaid else statements.description(scene, planned)
    parts = [conversation(tokens, words, statements.DESCRIBE, description, DESCRIPTION)]
    question = lambda s: statements.MATCH.format(prompt=s)
    parts += [conversation(tokens, words, question(s), v, STATEMENT, question(twin) if twin and not spoilt else None)
              for s, twin, v in verdicts]
    picture = statements.spoil(planned, rng) if spoilt else scenes.render(planned)
    noise = np.random.default_rng(number).normal(0, rng.uniform(0, NOISE), picture.shape)
    picture = np.clip(np.round(picture + noise), 0, 255).astype(np.uint8)
    known = np.full((2, patches.GRID ** 2), IGNORED) if spoilt else labels(teacher, planned)
    return picture, known, np.concatenate(parts, 1)


def batch(first, count, teacher, tokens):
    """Examples from number `first` on, as tensors."""
    words = Words.of(tokens)
    return tuple(torch.from_numpy(np.stack(part)) for part in
                 zip(*(example(first + i, teacher, tokens, words) for i in range(count))))


class Sight(nn.Module):
    """Parts that only the training of the understanding part needs: the layout of a row, and two
    heads.

    The first head predicts the labels of cells. Labels are closer to the tower's features than
    words are, so the tower learns before the model can describe pictures. The second head predicts,
    at each word of a statement, whether the statement can still be true. The final answer alone
    does not say which word was false.
    """

    def __init__(self, tower_width, width, tokens, cells):
        super().__init__()
        words = Words.of(tokens)
        self.labels = nn.Linear(tower_width, len(NOUNS) + len(TINTS))
        self.truth = nn.Linear(width, 1)
        self.register_buffer("before", torch.tensor(words.before), persistent=False)
        self.register_buffer("after", torch.tensor(words.after), persistent=False)
        start = len(words.before) + cells + len(words.after)
        branch = torch.cat([torch.zeros(start), *(torch.full((w,), i + 1.) for i, w in enumerate(WIDTHS))])
        seen = (branch[None] == branch[:, None]) | (branch[None] == 0)
        mask = torch.zeros(len(branch), len(branch)).masked_fill(~seen.tril(), -1e4)
        self.register_buffer("mask", mask[None, None], persistent=False)
        self.register_buffer("positions", torch.cat([torch.arange(start), *(start + torch.arange(w) for w in WIDTHS)]), persistent=False)
        self.start = start

    def loss(self, model, pictures, known, conversations):
        """Cross-entropies of the cells' labels, of the tokens of descriptions, of final answers,
        and of the truth at each word."""
        x = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        seen = model.vision_model(x)
        rows, embed = len(x), model.language_model.model.embed_tokens
        inputs = torch.cat([embed(self.before).expand(rows, -1, -1), model.aligner(seen), embed(self.after).expand(rows, -1, -1),
                            embed(conversations[:, 0])], 1)
        hidden = model.language_model.model(inputs, model.cos[self.positions], model.sin[self.positions], self.mask)
        logits = model.language_model.lm_head(hidden[:, self.start:]).float()
        wanted = conversations[:, 1]
        nouns, tints = self.labels(seen).float().split([len(NOUNS), len(TINTS)], -1)
        entropy = lambda a, b, **how: F.cross_entropy(a.flatten(0, 1), b.flatten(), **how)
        verdicts = entropy(logits[:, DESCRIPTION:], wanted[:, DESCRIPTION:], reduction="sum") / (rows * (len(WIDTHS) - 1))
        known_truth = conversations[:, 2, DESCRIPTION:]
        guesses = self.truth(hidden[:, self.start + DESCRIPTION:]).float()[..., 0]
        truth = F.binary_cross_entropy_with_logits(guesses, known_truth.clamp(min=0).float(), reduction="none")
        told = known_truth != IGNORED
        return (entropy(nouns, known[:, 0]) + entropy(tints, known[:, 1]), entropy(logits[:, :DESCRIPTION], wanted[:, :DESCRIPTION]),
                verdicts, (truth * told).sum() / told.sum().clamp(min=1))
