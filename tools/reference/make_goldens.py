"""Writes the toy models and the results of the reference implementations for them.

All expected values come from two implementations that must agree: original_form.py and
transformers.
"""
import argparse
import pathlib

import torch
import transformers
from safetensors.torch import save_file

import hugging_face_form as hf
import toy_models
from original_form import to_pixels
from toy_tokenizer import ToyTokenizer

WEIGHT = 5.0
AGREEMENT = 1e-5  # of the two implementations in float32, relative to the largest value
SMALLEST_GAP = 0.1  # between the best and the second guided logit of a greedy step
GUIDED_STEPS = 4  # later ones can be computed from the logits
IMAGES = 2


class Disagreement(Exception):
    pass


def difference(a, b):
    """Largest difference, relative to the largest value of b."""
    return ((a.float() - b.float()).abs().max() / b.float().abs().max()).item()


def agree(what, a, b, report):
    report[what] = difference(a, b)
    if not report[what] < AGREEMENT:
        raise Disagreement(f"{what}: the two implementations differ by {report[what]:.2g}")


def draw(toy, weights, tokenizer, tensors, cases, report):
    """Greedy drawing of all prompts, with the logits of each step."""
    ours = toy_models.original_form(toy, weights, torch.float32)
    theirs = hf.build(toy.shape, toy_models.vision_sizes(toy), tokenizer.special, weights, torch.float32)
    for i, prompt in enumerate(toy_models.PROMPTS):
        ids, null_ids = tokenizer.rows(prompt)
        codes, logits, guided = ours.draw(ids, null_ids, WEIGHT)
        if hf.generate(theirs, ids).tolist() != codes.tolist():
            raise Disagreement(f"{toy.name}: greedy codes of {prompt!r}")
        agree(f"draw{i}.logits", logits, hf.follow(theirs, ids, null_ids, codes), report)
        best = guided.topk(2, dim=-1).values
        gaps = best[:, 0] - best[:, 1]
        if gaps.min() < SMALLEST_GAP:
            raise Disagreement(f"{toy.name}: step {gaps.argmin()} of {prompt!r} is nearly a tie ({gaps.min():.3f})")
        tensors[f"draw{i}.prompt_ids"] = torch.tensor(ids)
        tensors[f"draw{i}.null_ids"] = torch.tensor(null_ids)
        tensors[f"draw{i}.codes"] = codes
        tensors[f"draw{i}.logits"] = logits
        tensors[f"draw{i}.guided"] = guided[:GUIDED_STEPS]
        tensors[f"draw{i}.gaps"] = gaps
        cases.append({"prompt": prompt, "text": f"<|User|>: {prompt}\n\n<|Assistant|>:", "prompt_ids": ids,
                      "null_ids": null_ids, "codes": codes.tolist(), "smallest_gap": round(gaps.min().item(), 4)})

    if toy.dtype == torch.bfloat16:
        return
    ids, null_ids, codes = cases[0]["prompt_ids"], cases[0]["null_ids"], cases[0]["codes"]
    rounded = ours.draw(ids, null_ids, WEIGHT, codes, rounded_frequencies=True)[1]
    hf.round_frequencies(theirs)
    agree("draw0.logits_rope_bf16", rounded, hf.follow(theirs, ids, null_ids, codes), report)
    tensors["draw0.logits_rope_bf16"] = rounded
    report["draw0.logits_rope_bf16 from exact frequencies"] = difference(rounded, tensors["draw0.logits"])


def draw_bf16(toy, weights, tokenizer, tensors, cases, report):
    """The same steps with each operation rounded to bf16, given the float32 codes."""
    ours = toy_models.original_form(toy, weights, torch.bfloat16)
    theirs = hf.build(toy.shape, toy_models.vision_sizes(toy), tokenizer.special, weights, torch.bfloat16)
    for i, case in enumerate(cases):
        arguments = case["prompt_ids"], case["null_ids"]
        logits = hf.follow(theirs, *arguments, case["codes"])
        wide = tensors[f"draw{i}.logits"]
        tensors[f"draw{i}.logits_bf16"] = logits.float()
        report[f"draw{i}.logits_bf16 from f32"] = difference(logits, wide)
        own = ours.draw(*arguments, WEIGHT, case["codes"])[1]
        report[f"draw{i}.logits_bf16 original from f32"] = difference(own, wide)
        case["codes_bf16"] = hf.generate(theirs, case["prompt_ids"]).tolist()


@torch.no_grad()
def pixels(toy, weights, tokenizer, tensors, cases, report):
    """Decodes codes to pixels: first the greedy codes of all prompts, then random codes."""
    generator = torch.Generator().manual_seed(1000 + toy.seed)
    shape = toy.shape
    codes = torch.cat([torch.tensor([case["codes"] for case in cases]),  # so that a drawn picture can be compared
                       torch.randint(shape.codebook, (IMAGES, shape.grid ** 2), generator=generator)])
    ours = toy_models.original_form(toy, weights, torch.float32).gen_vision_model.decode_code(codes)
    theirs = hf.build(toy.shape, toy_models.vision_sizes(toy), tokenizer.special, weights, torch.float32)
    agree("decode.values", ours, hf.decode(theirs, codes), report)
    tensors["decode.codes"] = codes
    tensors["decode.values"] = ours
    tensors["decode.pixels"] = to_pixels(ours)
    if toy.dtype == torch.bfloat16:
        rounded = hf.decode(hf.build(toy.shape, toy_models.vision_sizes(toy), tokenizer.special, weights, torch.bfloat16), codes)
        tensors["decode.values_bf16"] = rounded.float()
        report["decode.values_bf16 from f32"] = difference(rounded, ours)
        own = toy_models.original_form(toy, weights, torch.bfloat16).gen_vision_model.decode_code(codes)
        report["decode.values_bf16 original from f32"] = difference(own, ours)
    scaled = (ours + 1) / 2 * 255
    report["decode.pixels closest to a step"] = (scaled - scaled.round()).abs().min().item()
    report["decode.values range"] = [round(ours.min().item(), 3), round(ours.max().item(), 3)]


@torch.no_grad()
def encode(toy, weights, tokenizer, tensors, report):
    """Encodes pictures to codes with the original rule: latents and rows of the codebook are
    normalised."""
    if toy.absent:
        return
    generator = torch.Generator().manual_seed(2000 + toy.seed)
    side = toy.shape.image_size
    picture = torch.rand((IMAGES, side, side, 3), generator=generator) * 2 - 1
    ours = toy_models.original_form(toy, weights, torch.float32).gen_vision_model
    theirs = hf.build(toy.shape, toy_models.vision_sizes(toy), tokenizer.special, weights, torch.float32)
    latents = ours.latents(picture)
    agree("encode.latents", latents, hf.latents(theirs, picture), report)
    codes, distances = ours.quantize.nearest(latents)
    nearest = distances.topk(2, dim=-1, largest=False).values
    report["encode.smallest gap"] = (nearest[..., 1] - nearest[..., 0]).min().item()
    unnormalised = theirs.model.vqmodel.encode(picture.permute(0, 3, 1, 2)).image_tokens.view(codes.shape)
    report["encode.codes that the unnormalised rule changes"] = (unnormalised != codes).sum().item()
    tensors["encode.pixels"] = picture
    tensors["encode.latents"] = latents.permute(0, 2, 3, 1)
    tensors["encode.codes"] = codes
    tensors["encode.gaps"] = nearest[..., 1] - nearest[..., 0]
    if toy.dtype == torch.bfloat16:
        narrow = hf.build(toy.shape, toy_models.vision_sizes(toy), tokenizer.special, weights, torch.bfloat16)
        rounded = hf.latents(narrow, picture.bfloat16()).float()
        own = toy_models.original_form(toy, weights, torch.bfloat16).gen_vision_model.latents(picture.bfloat16())
        tensors["encode.latents_bf16"] = rounded.permute(0, 2, 3, 1)
        report["encode.latents_bf16 from f32"] = difference(rounded, latents)
        report["encode.latents_bf16 original from f32"] = difference(own, latents)
        report["encode.codes that bf16 changes"] = (ours.quantize.nearest(rounded)[0] != codes).sum().item()


def stored(tensor):
    """Integers as int32, bytes as bytes, everything else as float32."""
    if tensor.dtype == torch.int64:
        return tensor.to(torch.int32).contiguous()
    return tensor.contiguous() if tensor.dtype == torch.uint8 else tensor.float().contiguous()


def make(toy, out, tokenizer):
    directory = out / toy.name
    (directory / "expected").mkdir(parents=True, exist_ok=True)
    weights = toy_models.random_weights(toy)
    tensors, cases, report = {}, [], {}
    draw(toy, weights, tokenizer, tensors, cases, report)
    if toy.dtype == torch.bfloat16:
        draw_bf16(toy, weights, tokenizer, tensors, cases, report)
    pixels(toy, weights, tokenizer, tensors, cases, report)
    encode(toy, weights, tokenizer, tensors, report)
    toy_models.save(toy, weights, directory, tokenizer.special)
    toy_models.read_back(toy, weights, directory)
    tokenizer.save(directory)
    save_file({name: stored(tensor) for name, tensor in tensors.items()}, directory / "expected/expected.safetensors")
    shape = vars(toy.shape) | {"image_size": toy.shape.image_size}
    toy_models.write_json(directory / "expected/expected.json", {
        "about": toy.about, "form": toy.form, "container": toy.container,
        "dtype": toy_models.dtype_name(toy.dtype), "seed": toy.seed, "guidance": WEIGHT, "shape": shape,
        "absent": list(toy.absent), "special": tokenizer.special, "draws": cases,
        "agreement": {key: float(f"{value:.3g}") if isinstance(value, float) else value
                      for key, value in report.items()},
        "made_with": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}})
    for file in directory.rglob("*.safetensors"):
        file.chmod(0o644)
    print(toy.name, sum(f.stat().st_size for f in directory.rglob("*") if f.is_file()), report)
    for case in cases:
        print("  ", case["codes"], case["smallest_gap"], case.get("codes_bf16"))


def main():
    names = [toy.name for toy in toy_models.MODELS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="directory that gets one directory a model")
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to make: " + ", ".join(names))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error("no such model: " + ", ".join(sorted(unknown)))
    torch.set_num_threads(1)
    tokenizer = ToyTokenizer()
    for toy in toy_models.MODELS:
        if not arguments.names or toy.name in arguments.names:
            make(toy, arguments.out, tokenizer)


if __name__ == "__main__":
    main()
