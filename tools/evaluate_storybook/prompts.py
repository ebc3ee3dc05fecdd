"""Makes prompts.json: the prompts of the evaluation, in six categories after GenEval.

All prompts of colour, counting, position and pairs ask for combinations that never occur in
training.
"""
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "train_storybook"))

import backgrounds
import scenes
from scenes import Scene

CATEGORIES = ("single_object", "two_objects", "counting", "colors", "position", "color_attribution")
EACH = 64


def _fits(category, scene):
    coloured = [t[0] is not None for t in scene.things]
    new_pair = scene.kind == "two" and scenes.held_out_relation(scene.things[0], scene.relation, scene.things[1])
    unseen_colour = any(scenes.held_out_colour(t) for t in scene.things)
    if category == "colors":
        return scene.kind == "one" and unseen_colour
    if unseen_colour:
        return False
    if category == "single_object":
        return scene.kind == "one" and not coloured[0]
    if category == "counting":
        return scene.kind == "count" and scenes.held_out_number(scene.things[0], scene.number)
    if category == "position":
        return new_pair and scene.relation != "and"
    return new_pair and scene.relation == "and" and all(coloured) == any(coloured) == (category == "color_attribution")


def make(category):
    rng = random.Random(f"evaluation {category}")
    chosen, used = [], set()
    while len(chosen) < EACH:
        scene = scenes.random_scene(rng)
        words = scenes.subject(scene, rng)
        if scene.kind == "one":
            words = scenes.with_article(scenes.noun(scene.things[0]))
        prompt = f"{words} {backgrounds.phrase(scene.background)}"
        if _fits(category, scene) and prompt not in used:
            used.add(prompt)
            chosen.append({"category": category, "prompt": prompt, "kind": scene.kind, "things": [list(t) for t in scene.things],
                           "background": scene.background, "relation": scene.relation, "number": scene.number})
    return chosen


def to_scene(entry):
    return Scene(entry["kind"], tuple(tuple(t) for t in entry["things"]), entry["background"], entry["relation"], entry["number"])


def load():
    with open(os.path.join(HERE, "prompts.json")) as f:
        return json.load(f)


if __name__ == "__main__":
    entries = [entry for category in CATEGORIES for entry in make(category)]
    with open(os.path.join(HERE, "prompts.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(e) for e in entries) + "\n]\n")
    print(len(entries), "prompts")
