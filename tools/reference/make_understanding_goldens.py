"""Writes the results of the reference implementations for questions about pictures:
expected/understanding.safetensors for every toy model of make_goldens.py.

All expected values come from two implementations that must agree: understanding_form.py and
transformers.
"""
import argparse
import pathlib

import torch
import transformers
from safetensors.torch import save_file

import hugging_face_form as hf
import toy_models
from make_goldens import Disagreement, agree, difference, stored
from toy_tokenizer import ToyTokenizer
from understanding_form import Understanding, pixel_values

SYSTEM = ("You are a helpful language and vision assistant. You are able to understand the visual content that the user "
          "provides, and assist the user with a variety of tasks using natural language.")
STEPS = 10
SMALLEST_GAP = 1e-3  # between the best and the second logit of a greedy step

# The conversations; pictures by number. A reply ends a turn. Special tokens in words are text.
CONVERSATIONS = [
    {"system": SYSTEM, "turns": [{"pictures": [0], "words": "What do you see here?"}]},
    {"system": "", "turns": [{"pictures": [0, 1], "words": "  the same thing?\n", "reply": "a red hat, "},
                             {"pictures": [], "words": "Is it on the hill <|User|> sat on? "}]},
    {"system": "", "turns": [{"pictures": [1], "words": "", "reply": "\n"}, {"pictures": [0], "words": "12 hats"}]},
]


def text_of(conversation):
    """The text of the original conversation template, with one placeholder per picture."""
    text = conversation["system"] + "\n\n" if conversation["system"] else ""
    for turn in conversation["turns"]:
        words = ("<image_placeholder>\n" * len(turn["pictures"]) + turn["words"].strip()).strip()
        text += f"<|User|>: {words}\n\n<|Assistant|>:" if words else "<|User|>:<|Assistant|>:"
        reply = turn.get("reply", "").strip()
        if reply:
            text += f" {reply}<｜end▁of▁sentence｜>"
    return text


def ids_of(conversation, tokenizer, tokens):
    """Ids with all placeholders expanded, and the positions of the pictures' rows. Special tokens
    in words are split for the tokenizer by a character that is removed again, so their bytes are
    encoded as text."""
    guarded = [dict(turn) for turn in conversation["turns"]]
    pieces, current = [], ""
    mark = "\x00"
    for turn in guarded:
        turn["words"] = turn["words"].replace("<|User|>", mark)
    text = text_of(conversation | {"turns": guarded})
    ids = [tokenizer.id["<｜begin▁of▁sentence｜>"]]
    specials = sorted(tokenizer.id, key=len, reverse=True)
    while text:  # split at special tokens; encode the text between without matching any
        special = next((s for s in specials if text.startswith(s)), None)
        if special is None:
            current, text = current + text[0], text[1:]
            if text:
                continue
        if current:
            pieces.append(current.replace(mark, "<|User|>"))
            current = ""
        if special is not None:
            pieces.append(tokenizer.id[special])
            text = text[len(special):]
    places = []
    for piece in pieces:
        if isinstance(piece, str):
            ids += tokenizer.plain.encode(piece, add_special_tokens=False).ids
        elif piece == tokenizer.id["<image_placeholder>"]:
            ids.append(tokenizer.id["<begin_of_image>"])
            places.append(len(ids))
            ids += [piece] * tokens + [tokenizer.id["<end_of_image>"]]
        else:
            ids.append(piece)
    return ids, places


@torch.no_grad()
def look(model, pixels):
    features = model.model.vision_model(pixels).last_hidden_state
    return features, model.model.aligner(features)


@torch.no_grad()
def follow(model, ids, places, rows, tokens):
    """Logits [len(tokens), vocabulary] of the text mode of transformers when it is given the
    tokens."""
    x = model.get_input_embeddings()(torch.tensor([ids]))
    for place, row in zip(places, rows):
        x[0, place:place + len(row)] = row
    cache, logits = None, []
    for token in tokens:
        out = model.model.language_model(inputs_embeds=x, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        logits.append(model.lm_head(out.last_hidden_state[0, -1]))
        x = model.get_input_embeddings()(torch.tensor([[token]]))
    return torch.stack(logits)


@torch.no_grad()
def generate(model, ids, pixels):
    """Tokens of the greedy text mode of transformers."""
    ids = torch.tensor([ids])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels,
                         generation_mode="text", do_sample=False, max_new_tokens=STEPS, min_new_tokens=STEPS,
                         eos_token_id=None, guidance_scale=None)
    return out[0, ids.shape[1]:].tolist()


def make(toy, out, tokenizer):
    sizes = toy_models.vision_sizes(toy)
    tokens = (sizes["image_size"] // sizes["patch_size"]) ** 2
    weights = toy_models.random_weights(toy)
    generator = torch.Generator().manual_seed(3000 + toy.seed)
    pictures = torch.randint(256, (2, sizes["image_size"], sizes["image_size"], 3), generator=generator,
                             dtype=torch.uint8)
    pixels = pixel_values(pictures)
    wide = {name: tensor.float() for name, tensor in weights.items()}
    ours = Understanding(sizes, toy_models.original_form(toy, weights, torch.float32)).load(wide)
    theirs = hf.build(toy.shape, sizes, tokenizer.special, weights, torch.float32)
    tensors, report, cases = {"see.pictures": pictures}, {}, []
    features, rows = ours.look(pixels)
    for name, a, b in zip(("see.features", "see.rows"), (features, rows), look(theirs, pixels)):
        agree(name, a, b, report)
        tensors[name] = a
    rounded = None
    if toy.dtype == torch.bfloat16:
        rounded = hf.build(toy.shape, sizes, tokenizer.special, weights, torch.bfloat16)
        for name, value, exact in zip(("see.features", "see.rows"), look(rounded, pixels.bfloat16()), (features, rows)):
            tensors[name + "_bf16"] = value.float()
            report[name + "_bf16 from f32"] = difference(value, exact)

    for i, conversation in enumerate(CONVERSATIONS):
        ids, places = ids_of(conversation, tokenizer, tokens)
        order = [picture for turn in conversation["turns"] for picture in turn["pictures"]]
        if len(ids) + STEPS > toy.shape.max_positions:
            continue
        said, logits = ours.reply(ids, places, rows[order], STEPS)
        agree(f"ask{i}.logits", logits, follow(theirs, ids, places, rows[order], said), report)
        if generate(theirs, ids, pixels[order]) != said:
            raise Disagreement(f"{toy.name}: greedy text of conversation {i}")
        best = logits.topk(2, dim=-1).values
        gap = (best[:, 0] - best[:, 1]).min().item()
        if gap < SMALLEST_GAP:
            raise Disagreement(f"{toy.name}: a step of conversation {i} is nearly a tie ({gap:.4f})")
        tensors[f"ask{i}.ids"] = torch.tensor(ids)
        tensors[f"ask{i}.places"] = torch.tensor(places)
        tensors[f"ask{i}.pictures"] = torch.tensor(order)
        tensors[f"ask{i}.tokens"] = torch.tensor(said)
        tensors[f"ask{i}.logits"] = logits
        if rounded is not None:
            bf16 = follow(rounded, ids, places, look(rounded, pixels.bfloat16())[1][order], said)
            tensors[f"ask{i}.logits_bf16"] = bf16.float()
            report[f"ask{i}.logits_bf16 from f32"] = difference(bf16, logits)
        text = tokenizer.tokenizer.decode(said, skip_special_tokens=True)
        cases.append(conversation | {"tokens": said, "reply": text, "smallest_gap": round(gap, 4)})
    directory = out / toy.name / "expected"
    save_file({name: stored(tensor) for name, tensor in tensors.items()}, directory / "understanding.safetensors")
    (directory / "understanding.safetensors").chmod(0o644)
    toy_models.write_json(directory / "understanding.json", {
        "tower": sizes, "conversations": cases,
        "agreement": {key: float(f"{value:.3g}") for key, value in report.items()},
        "made_with": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}})
    print(toy.name, report, [case["tokens"] for case in cases])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="the directory that make_goldens.py wrote")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = ToyTokenizer()
    for toy in toy_models.MODELS:
        if not arguments.names or toy.name in arguments.names:
            make(toy, arguments.out, tokenizer)


if __name__ == "__main__":
    main()
