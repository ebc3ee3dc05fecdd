"""Writes expected/edit.safetensors for the toy model that sees and has an encoder: the rows of both
forms of editing, their greedy codes, and one round of reflection. edit_form.py has no second
implementation; its parts are those that make_goldens.py compares with transformers."""
import argparse
import pathlib

import torch
from safetensors.torch import save_file

import toy_models
from edit_form import EditForm
from make_goldens import stored
from toy_tokenizer import ToyTokenizer
from understanding_form import Understanding

NAME = "toy-hf"
GUIDANCE, IMAGE_GUIDANCE = 5.0, 5.0
REASON_TOKENS = 6
# Smallest gaps: bf16 must not change a choice.
CODE_GAP, TEXT_GAP, ENCODE_GAP = 0.1, 0.03, 0.01
INSTRUCTIONS = ["make the hat red", "a red hill, 12 hats", "the cat sat on the hill", "Zwölf Füchse",
                "in the air", "ten red stones", "the other hat", "no hat at all"]
PROMPTS = [f"{kind} {thing} {place}" for thing in ("cat", "hat", "stone", "otter", "fox", "tree")
           for kind in ("a red", "the last", "twelve", "no", "an old") for place in ("on the hill", "in the air", "at sea")]


def pair(logits):
    return logits[1] + GUIDANCE * (logits[0] - logits[1])


def three(logits):
    full, part, null = logits
    conditional = (full + IMAGE_GUIDANCE * part) / (1 + IMAGE_GUIDANCE)
    return null + GUIDANCE * (conditional - null)


def picture_for(form, side):
    """A random picture whose codes are no near ties."""
    for seed in range(1000):
        picture = torch.randint(256, (side, side, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
        if form.codes(picture)[1].min() > ENCODE_GAP:
            return picture
    raise ValueError("no picture is clear enough")


def edit(form, style, guide, picture, tensors, cases):
    for instruction in INSTRUCTIONS:
        x, ids = getattr(form, style)(picture, instruction)
        codes, gaps = form.draw(x, guide)
        if min(gaps) < CODE_GAP:
            continue
        tensors |= {f"{style}.ids": torch.tensor(ids), f"{style}.rows": x, f"{style}.codes": torch.tensor(codes)}
        cases.append({"style": style, "instruction": instruction, "codes": codes, "smallest_gap": round(min(gaps), 4)})
        return
    raise ValueError(f"{style}: every instruction has a near tie")


def reflect(form, wants_match, tensors, cases):
    """The first prompt with this verdict and without near ties."""
    for prompt in PROMPTS:
        ids, null = form.tokenizer.rows(prompt)
        codes, gaps = form.draw(torch.stack([form.words(ids), form.words(null)]), pair)
        picture = form.picture_of(codes)
        said, match, gap = form.judge(ids, picture, REASON_TOKENS)
        again, encode_gaps = form.codes(picture)
        if match != wants_match or min(gaps) < CODE_GAP or gap < TEXT_GAP or encode_gaps.min() < ENCODE_GAP:
            continue
        name = "match" if match else "redraw"
        case = {"prompt": prompt, "codes": codes, "said": said, "match": match, "smallest_gap": round(min(gaps), 4)}
        if not match:
            x = form.redraw_rows(prompt, again, said)
            redrawn, gaps = form.draw(x, pair)
            if min(gaps) < CODE_GAP:
                continue
            tensors |= {f"{name}.rows": x, f"{name}.again": torch.tensor(redrawn), f"{name}.seen": again}
            case |= {"seen": again.tolist(), "again": redrawn, "smallest_gap_again": round(min(gaps), 4)}
        tensors |= {f"{name}.codes": torch.tensor(codes), f"{name}.said": torch.tensor(said)}
        cases.append(case)
        return
    raise ValueError(f"no prompt is clear enough for match = {wants_match}")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="the directory that make_goldens.py wrote")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    tokenizer = ToyTokenizer()
    toy = next(toy for toy in toy_models.MODELS if toy.name == NAME)
    sizes = toy_models.vision_sizes(toy)
    weights = toy_models.random_weights(toy)
    drawing = toy_models.original_form(toy, weights, torch.float32)
    seeing = Understanding(sizes, drawing).load({name: tensor.float() for name, tensor in weights.items()})
    form = EditForm(drawing, seeing, tokenizer)
    picture = picture_for(form, toy.shape.image_size)
    tensors = {"picture": picture, "picture.codes": form.codes(picture)[0]}
    cases = []
    edit(form, "janus_4o", three, picture, tensors, cases)
    edit(form, "janus_pro_r1", pair, picture, tensors, cases)
    reflect(form, True, tensors, cases)
    reflect(form, False, tensors, cases)
    directory = out / NAME / "expected"
    save_file({name: stored(tensor) for name, tensor in tensors.items()}, directory / "edit.safetensors")
    (directory / "edit.safetensors").chmod(0o644)
    toy_models.write_json(directory / "edit.json", {
        "guidance": GUIDANCE, "image_guidance": IMAGE_GUIDANCE, "reason_tokens": REASON_TOKENS, "cases": cases,
        "made_with": {"torch": torch.__version__.split("+")[0]}})
    print(cases)


if __name__ == "__main__":
    main()
