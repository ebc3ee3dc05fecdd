"""Writes the storybook tokenizer: byte-level BPE trained on captions, in the layout Janus-Pro publishes."""
import argparse
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import scenes

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
BEGIN_IMAGE, END_IMAGE = "<begin_of_image>", "<end_of_image>"
SPECIAL = [BOS, EOS, PAD, BEGIN_IMAGE, END_IMAGE, "<image_placeholder>", "<patch_placeholder>", "<|ref|>", "<|/ref|>",
           "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>"]
LETTER_RANGES = (
    "41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C "
    "38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B "
    "1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 "
    "1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 "
    "2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B "
    "2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 "
    "FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943")
MERGES = 380
ROUND_ROWS = 64


def patterns():
    """The five splitting patterns of the published tokenizer, in their order."""
    letters = "".join("-".join(chr(int(end, 16)) for end in part.split("-")) for part in LETTER_RANGES.split())
    return ["[\r\n]", f"\\s?[{letters}]+", "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$",
            "[一-龥ࠀ-一가-퟿]+"]


def prompt(text):
    """The conversation Janus-Pro draws from, without the begin-of-sentence token."""
    return f"<|User|>: {text.strip()}\n\n<|Assistant|>:{BEGIN_IMAGE}"


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
    """Rows of the embedding tables: the vocabulary, rounded up."""
    return -(-tokenizer.get_vocab_size() // ROUND_ROWS) * ROUND_ROWS


def published_layout(tokenizer):
    """The tokenizer as a dict, with the published block order and flags."""
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
