"""Writes expected/thinking.json for a toy model of make_goldens.py: for each style the ids of the
prompt, the greedy thought, both rows of the picture after it, and the picture's greedy codes.

The words of the styles are those of src/engine/styles, given here again as facts: an edit there
must be repeated here, and the test says so. Needs torch, tokenizers and safetensors.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import toy_models
from original_form import OriginalForm
from thinking_form import Style, Thinker
from tokenizer_layout import BEGIN_OF_IMAGE, EOS

SMALLEST_GAP = 1e-3
WORDS, TOKENS = ("User", "Assistant"), ("<|User|>", "<|Assistant|>")
STYLES = pathlib.Path(__file__).parents[2] / "src/engine/styles"


def styles():
    own = {path.stem: json.loads(path.read_text()) for path in STYLES.glob("*.json")}
    ask = lambda name: own[name]["ask"].replace("{prompt}", "{}")
    return {
        "t2i-r1": Style(WORDS, ask("t2i-r1"), own["t2i-r1"]["system"], "{0}. {1}"),
        "reasongen-r1": Style(TOKENS, "A photo of {}. Output a richly detailed prompt: ",
                              stop=(EOS, BEGIN_OF_IMAGE)),
        "got-r1": Style(WORDS, "Follow the caption to generate an image through a chain of thought process: {}",
                        stop=(BEGIN_OF_IMAGE,),
                        added=("<|box_start|>", "<|box_end|>", "<|obj_start|>", "<|obj_end|>")),
        "janus-pro-r1": Style(TOKENS, ask("janus-pro-r1"), redraw="{0}. {1}"),
    }


def load(directory, toy):
    drawing = OriginalForm(toy.shape).eval()
    weights = load_file(directory / "model.safetensors")
    used = {name: tensor.float() for name, tensor in weights.items()
            if not name.startswith(("vision_model.", "aligner.")) and not name.endswith(".codebook_used")}
    missing, unexpected = drawing.load_state_dict(used, strict=False)
    if unexpected or any(not name.startswith(toy.absent) for name in missing):
        raise SystemExit(f"{directory}: {missing} are missing, {unexpected} are unknown")
    return drawing


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="the directory that make_goldens.py wrote")
    parser.add_argument("name", nargs="?", default="toy-f32")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    toy = next(toy for toy in toy_models.MODELS if toy.name == arguments.name)
    directory = arguments.out / toy.name
    drawing = load(directory, toy)
    cases = []
    for name, style in styles().items():
        for stops_early in (False, True):
            thinker = Thinker(drawing, Tokenizer.from_file(str(directory / "tokenizer.json")), style)
            for prompt in toy_models.PROMPTS:
                if stops_early:  # at a token that the thought without it has in its middle
                    first = thinker.think(thinker.ask_ids(prompt), style.max_tokens)[0]
                    place = next(i for i in range(3, len(first)) if first[i] not in first[:i]
                                 and thinker.tokenizer.id_to_token(first[i]))
                    thinker.stop = [first[place]]
                case = thinker.draw(prompt)
                if min(case["smallest_text_gap"], case["smallest_code_gap"]) < SMALLEST_GAP:
                    raise SystemExit(f"{name}, {prompt!r}: a step is nearly a tie")
                stop = [thinker.tokenizer.id_to_token(thinker.stop[0])] if stops_early else list(style.stop)
                cases.append({"style": name, "stop": stop, "max_tokens": style.max_tokens} | case)
    toy_models.write_json(directory / "expected" / "thinking.json", {
        "cases": cases, "made_with": {"torch": torch.__version__.split("+")[0]}})
    for case in cases:
        print(case["style"], len(case["ask_ids"]), len(case["thought_ids"]), case["stopped"], case["codes"][:6],
              case["smallest_text_gap"], case["smallest_code_gap"])


if __name__ == "__main__":
    main()
