"""Writes the storybook tokenizer: byte-level BPE trained on captions, in the layout of
Janus-Pro."""
import argparse
import json
import os
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import scenes

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
from tokenizer_layout import BEGIN_OF_IMAGE, BOS, EOS, PAD, SPECIAL, patterns  # noqa: E402,F401

MERGES = 380
ROUND_ROWS = 64


def prompt(text):
    """The conversation for drawing in Janus-Pro, without BOS."""
    return f"<|User|>: {text.strip()}\n\n<|Assistant|>:{BEGIN_OF_IMAGE}"


def train(captions):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns()]
        + [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=256 + MERGES, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def rows(tokenizer):
    """Number of rows of the embedding tables: the vocabulary, rounded up."""
    return -(-tokenizer.get_vocab_size() // ROUND_ROWS) * ROUND_ROWS


def published_layout(tokenizer):
    """The tokenizer as a dict, with the published order of blocks and flags."""
    doc = json.loads(tokenizer.to_str())
    doc["normalizer"] = {"type": "Sequence", "normalizers": []}
    doc["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    doc["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    doc["model"].pop("ignore_merges", None)
    doc["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in doc["model"]["merges"]]
    return doc


def load(folder):
    return Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--captions", type=int, default=60000)
    a = p.parse_args()
    texts = []
    for seed in range(a.captions):
        rng = random.Random(f"captions {seed}")
        texts.append(scenes.caption(scenes.random_scene(rng), rng))
    tokenizer = train(texts)
    os.makedirs(a.checkpoints, exist_ok=True)
    path = os.path.join(a.checkpoints, "tokenizer.json")
    with open(path, "w") as f:
        json.dump(published_layout(tokenizer), f, ensure_ascii=False, indent=2)
    again = load(a.checkpoints)
    lengths = [len(again.encode(prompt(t), add_special_tokens=False).ids) + 1 for t in texts[:5000]]
    print(f"{again.get_vocab_size()} tokens, {rows(again)} rows, prompts of {min(lengths)} to {max(lengths)} tokens")


if __name__ == "__main__":
    main()
