"""A byte-level BPE tokenizer of a few hundred entries, in the layout the real models publish."""
import json

from tokenizers import Tokenizer, pre_tokenizers

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
BEGIN_OF_IMAGE = "<begin_of_image>"
# Published order; the unused <image_N> tokens are left out.
SPECIAL = [BOS, EOS, PAD, BEGIN_OF_IMAGE, "<end_of_image>", "<image_placeholder>", "<patch_placeholder>", "<|ref|>",
           "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>"]
# Code points of the letters that the published tokenizer keeps together.
LETTERS = (
    "41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C "
    "38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B "
    "1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 "
    "1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 "
    "2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B "
    "2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 "
    "FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF "
    "1E900-1E943")
MERGES = """
h e|i n|r e|a n|e r|o n|Ġ a|Ġ t|Ġt he|e d|o u|s t|a t|Ġ s|Ġ o|in g|l l|Ġo n|a r|Ġ b|Ġ h|o r|l e|Ġr ed|Ġ c
|c at|Ġ r|i ll|Ġh ill|Ċ Ċ|a st|Ġ ,
"""


def patterns():
    letters = "".join("-".join(chr(int(end, 16)) for end in part.split("-")) for part in LETTERS.split())
    return ["[\r\n]", "\\s?[" + letters + "]+",
            "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", "\\s+$",
            "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"]


def document():
    """The contents of tokenizer.json."""
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
        self.id = {token["content"]: token["id"] for token in self.document["added_tokens"]}
        self.special = {"bos": self.id[BOS], "eos": self.id[EOS], "pad": self.id[PAD],
                        "begin_of_image": self.id[BEGIN_OF_IMAGE],
                        "image_placeholder": self.id["<image_placeholder>"]}

    def rows(self, prompt):
        """Ids of the prompted and of the unprompted row for a drawing prompt."""
        text = f"<|User|>: {prompt}\n\n<|Assistant|>:"
        ids = [self.id[BOS]] + self.tokenizer.encode(text, add_special_tokens=False).ids + [self.id[BEGIN_OF_IMAGE]]
        return ids, ids[:1] + [self.id[PAD]] * (len(ids) - 2) + ids[-1:]

    def save(self, directory):
        (directory / "tokenizer.json").write_text(self.json + "\n")
        (directory / "tokenizer_config.json").write_text(json.dumps({
            "add_bos_token": True, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS,
            "clean_up_tokenization_spaces": False, "model_max_length": 16384, "pad_token": None,
            "tokenizer_class": "LlamaTokenizer", "unk_token": None}, ensure_ascii=False, indent=2) + "\n")
