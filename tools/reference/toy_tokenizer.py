"""A byte-level BPE tokenizer with a few hundred entries, in the layout of the published models."""
import json

from tokenizers import Tokenizer, pre_tokenizers

from tokenizer_layout import BEGIN_OF_IMAGE, BOS, EOS, PAD, SPECIAL, patterns

MERGES = """
h e|i n|r e|a n|e r|o n|Ġ a|Ġ t|Ġt he|e d|o u|s t|a t|Ġ s|Ġ o|in g|l l|Ġo n|a r|Ġ b|Ġ h|o r|l e|Ġr ed|Ġ c
|c at|Ġ r|i ll|Ġh ill|Ċ Ċ|a st|Ġ ,
"""


def document():
    """Contents of tokenizer.json."""
    merges = [line for line in MERGES.replace("\n", "").split("|")]
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet()) + [merge.replace(" ", "") for merge in merges]
    byte_level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True, "add_prefix_space": True}
    splits = [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
              for pattern in patterns()]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": len(tokens) + i, "content": content, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True} for i, content in enumerate(SPECIAL)],
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits + [
            {"type": "Digits", "individual_digits": True},
            byte_level | {"add_prefix_space": False, "use_regex": False}]},
        "post_processor": byte_level | {"trim_offsets": False},
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}}


class ToyTokenizer:
    def __init__(self):
        self.document = document()
        self.json = json.dumps(self.document, ensure_ascii=False, indent=1)
        self.tokenizer = Tokenizer.from_str(self.json)
        plain = dict(self.document, added_tokens=[])  # without special tokens: they are text
        self.plain = Tokenizer.from_str(json.dumps(plain, ensure_ascii=False))
        self.id = {token["content"]: token["id"] for token in self.document["added_tokens"]}
        self.special = {"bos": self.id[BOS], "eos": self.id[EOS], "pad": self.id[PAD],
                        "begin_of_image": self.id[BEGIN_OF_IMAGE],
                        "image_placeholder": self.id["<image_placeholder>"]}

    def rows(self, prompt):
        """Ids of the conditional and of the unconditional row for a drawing prompt."""
        text = f"<|User|>: {prompt}\n\n<|Assistant|>:"
        ids = [self.id[BOS]] + self.tokenizer.encode(text, add_special_tokens=False).ids + [self.id[BEGIN_OF_IMAGE]]
        return ids, ids[:1] + [self.id[PAD]] * (len(ids) - 2) + ids[-1:]

    def save(self, directory):
        (directory / "tokenizer.json").write_text(self.json + "\n")
        (directory / "tokenizer_config.json").write_text(json.dumps({
            "add_bos_token": True, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS,
            "clean_up_tokenization_spaces": False, "model_max_length": 16384, "pad_token": None,
            "tokenizer_class": "LlamaTokenizer", "unk_token": None}, ensure_ascii=False, indent=2) + "\n")
