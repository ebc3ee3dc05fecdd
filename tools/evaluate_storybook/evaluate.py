"""Scores a storybook model with a detector that only uses pixels, and prints a Markdown table.

Rows: scenes rendered by the training code (they check the detector), the same after the picture
tokenizer (the best possible result), and drawings. Drawings come from the `bifrons` program, from a
folder of numbered pictures, or from the PyTorch model.
"""
import argparse
import os
import random
import subprocess
import sys

import numpy as np
from PIL import Image, ImageDraw

import prompts
from detector import judge

import scenes


def plans(entries):
    return [scenes.plan(prompts.to_scene(e), random.Random(f"rendered {i}")) for i, e in enumerate(entries)]


def through_tokenizer(planned, folder):
    """Encodes the plans to codes and decodes them again."""
    import torch
    import export
    import patches
    import vq
    network, _ = export.load_vq(folder)
    teacher = patches.load(folder)
    out = []
    for i in range(0, len(planned), 32):
        codes = torch.from_numpy(np.stack([patches.encode(teacher, p) for p in planned[i:i + 32]]))
        with torch.no_grad():
            out.extend(vq.to_pixels(network.decode(codes)))
    return out


def drawn_by_torch(entries, folder, guidance, temperature, seed, average):
    import torch
    import export
    import tokenizer as text
    import vq
    from stream import pad_left
    torch.set_num_threads(2)
    model, _, _ = export.load_transformer(folder, cooled=not average)
    network, _ = export.load_vq(folder)
    tokens = text.load(folder)
    bos, pad = tokens.token_to_id(text.BOS), tokens.token_to_id(text.PAD)
    generator = torch.Generator().manual_seed(seed)
    out = []
    for i in range(0, len(entries), 96):
        ids = [[bos] + tokens.encode(text.prompt(e["prompt"]), add_special_tokens=False).ids for e in entries[i:i + 96]]
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            out.extend(vq.to_pixels(network.decode(model.draw(*pad_left(ids, pad), pad, guidance, temperature, generator))))
    return out


def drawn_by_program(entries, program, model, seed, folder, extra):
    os.makedirs(folder, exist_ok=True)
    for i, entry in enumerate(entries):
        path = os.path.join(folder, f"{i:03}.png")
        if not os.path.exists(path):
            subprocess.run([program, "generate", "-q", "-p", entry["prompt"], "-s", str(seed + i), "-m", model, "-o", path, *extra],
                           check=True, stdout=subprocess.DEVNULL)
    return read_folder(len(entries), folder)


def read_folder(count, folder):
    return [np.asarray(Image.open(os.path.join(folder, f"{i:03}.png")).convert("RGB")) for i in range(count)]


def score(entries, pictures):
    return [judge(prompts.to_scene(e), p) for e, p in zip(entries, pictures)]


def table(entries, rows):
    head = ["", *prompts.CATEGORIES, "mean", "background"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, verdicts in rows:
        share = [np.mean([v["correct"] for v, e in zip(verdicts, entries) if e["category"] == c]) for c in prompts.CATEGORIES]
        cells = [f"{100 * s:.0f} %" for s in (*share, np.mean(share), np.mean([v["background"] for v in verdicts]))]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def sheet(path, entries, pictures, verdicts, columns=8, zoom=144):
    rows = -(-len(entries) // columns)
    out = Image.new("RGB", (columns * (zoom + 6), rows * (zoom + 30)), "white")
    pen = ImageDraw.Draw(out)
    for i, (entry, picture, verdict) in enumerate(zip(entries, pictures, verdicts)):
        x, y = i % columns * (zoom + 6), i // columns * (zoom + 30)
        out.paste(Image.fromarray(picture).resize((zoom, zoom), Image.BICUBIC), (x, y))
        ink = "darkgreen" if verdict["correct"] and verdict["background"] else "firebrick"
        pen.text((x, y + zoom + 1), entry["prompt"][:25], fill=ink)
        pen.text((x, y + zoom + 14), entry["prompt"][25:], fill=ink)
    out.save(path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rendered", action="store_true", help="score rendered scenes")
    p.add_argument("--tokenizer", action="store_true", help="score their codes, decoded (needs --checkpoints)")
    p.add_argument("--torch", action="store_true", help="draw with the PyTorch model in --checkpoints")
    p.add_argument("--pictures", help="score DIR/NNN.png, one per prompt, in order")
    p.add_argument("--program", help="draw with this bifrons program into --work, then score")
    p.add_argument("--model", default="samples/models/storybook")
    p.add_argument("--work", default="/tmp/storybook-drawings")
    p.add_argument("--checkpoints", default=os.path.expanduser("~/.cache/bifrons-train"))
    p.add_argument("--average", action="store_true", help="with --torch: the weight average, not the cooled copy")
    p.add_argument("--guidance", type=float, default=5.)
    p.add_argument("--temperature", type=float, default=1.)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--each", type=int, default=prompts.EACH, help="prompts per category")
    p.add_argument("--sheet", help="write a PNG with the last row's pictures, eight of every category")
    p.add_argument("program_options", nargs="*", help="further options for the program, after --")
    a = p.parse_args()
    entries = [e for c in prompts.CATEGORIES for e in [x for x in prompts.load() if x["category"] == c][:a.each]]
    rows, pictures = [], None
    if a.rendered:
        pictures = [scenes.render(p) for p in plans(entries)]
        rows.append(("rendered scenes", score(entries, pictures)))
    if a.tokenizer:
        pictures = through_tokenizer(plans(entries), a.checkpoints)
        rows.append(("after the picture tokenizer", score(entries, pictures)))
    if a.torch:
        pictures = drawn_by_torch(entries, a.checkpoints, a.guidance, a.temperature, a.seed, a.average)
        rows.append((f"drawn, guidance {a.guidance:g}, temperature {a.temperature:g}", score(entries, pictures)))
    if a.program:
        pictures = drawn_by_program(entries, a.program, a.model, a.seed, a.work, a.program_options)
        rows.append(("drawn by the program", score(entries, pictures)))
    if a.pictures:
        pictures = read_folder(len(entries), a.pictures)
        rows.append(("pictures", score(entries, pictures)))
    if not rows:
        sys.exit("nothing to score: give --rendered, --tokenizer, --torch, --program or --pictures")
    print(table(entries, rows))
    if a.sheet:
        pick = [i for c in prompts.CATEGORIES for i in [k for k, e in enumerate(entries) if e["category"] == c][:8]]
        sheet(a.sheet, [entries[i] for i in pick], [pictures[i] for i in pick], [rows[-1][1][i] for i in pick])


if __name__ == "__main__":
    main()
