"""Scores what a storybook model says about pictures that training never described, word by word;
prints a Markdown table.

The pictures are the rendered scenes of prompts.json, whose pairs, numbers and colours training
never names.
"""
import argparse
import os
import random
import subprocess

import numpy as np
from PIL import Image

import prompts

import backgrounds
import scenes
import statements

COLUMNS = ("things", "number", "relation", "background", "every word")


def verdict(said, scene, planned):
    """{column: right, wrong, or None if the picture does not test it}."""
    said = f" {said.strip().rstrip('.')} "
    counted = scene.kind == "count"
    named = [scenes.plural(t) if counted else scenes.noun(t) for t in scene.things]
    expected = statements.description(scene, planned)
    return {
        "things": all(f" {name} " in said for name in named),
        "number": f" {scenes.NUMBERS[scene.number]} " in said if counted else None,
        "relation": said.strip() == expected if scene.kind == "two" else None,
        "background": backgrounds.phrase(scene.background) in said,
        "every word": said.strip() == expected,
    }


def show(entries, folder):
    """Writes the scenes as pictures; returns [(path, scene, plan)]."""
    os.makedirs(folder, exist_ok=True)
    out = []
    for i, entry in enumerate(entries):
        scene = prompts.to_scene(entry)
        planned = scenes.plan(scene, random.Random(f"rendered {i}"))
        path = os.path.join(folder, f"{i:03}.png")
        Image.fromarray(scenes.render(planned)).save(path)
        out.append((path, scene, planned))
    return out


def descriptions(program, model, paths):
    """What the program says about each picture, in order."""
    said = []
    for path in paths:
        run = subprocess.run([program, "describe", path, "-q", "-m", model], check=True, capture_output=True, text=True)
        said.append(run.stdout.strip())
    return said


def table(entries, verdicts):
    lines = ["| " + " | ".join(["", *COLUMNS]) + " |", "|" + "---|" * (len(COLUMNS) + 1)]
    for category in (*prompts.CATEGORIES, "all"):
        of = [v for e, v in zip(entries, verdicts) if category in ("all", e["category"])]
        shares = [[v[c] for v in of if v[c] is not None] for c in COLUMNS]
        lines.append("| " + " | ".join([category.replace("_", " "), *(f"{100 * np.mean(s):.0f} %" if s else "" for s in shares)]) + " |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default="build/release/bifrons")
    p.add_argument("--model", default="samples/models/storybook")
    p.add_argument("--work", default="/tmp/storybook-shown")
    p.add_argument("--each", type=int, default=prompts.EACH, help="pictures per category")
    p.add_argument("--verbose", action="store_true", help="print every description")
    a = p.parse_args()
    entries = [e for c in prompts.CATEGORIES for e in [x for x in prompts.load() if x["category"] == c][:a.each]]
    shown = show(entries, a.work)
    said = descriptions(a.program, a.model, [path for path, _, _ in shown])
    verdicts = [verdict(words, scene, planned) for words, (_, scene, planned) in zip(said, shown)]
    if a.verbose:
        for entry, words, v in zip(entries, said, verdicts):
            print(f"{'right' if v['every word'] else 'wrong'}: {entry['prompt']} -> {words}")
    print(table(entries, verdicts))


if __name__ == "__main__":
    main()
