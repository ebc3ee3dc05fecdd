#!/usr/bin/env python3
"""Writes tests/golden/tensor_names.tsv: all tensors of Janus-Pro-7B, with their names in the
original form and in transformers.

usage: make_name_goldens.py LIST.json OUT.tsv

LIST.json: {"map": {original name: name}, "hf": {name: shape}}. It has the names in the published
files of both forms, and the mapping of transformers' conversion script. Names that the conversion
splits or drops have no counterpart and are left out. The 1B model has the same names without layers
24 to 29.
"""
import json
import sys


def main() -> None:
    with open(sys.argv[1]) as file:
        lists = json.load(file)
    pairs = sorted((a, b) for a, b in lists["map"].items() if b in lists["hf"])
    with open(sys.argv[2], "w") as out:
        out.writelines(f"{a}\t{b}\n" for a, b in pairs)


if __name__ == "__main__":
    main()
