#!/usr/bin/env python3
"""A batch's directory as its readers meet it: loaded by Hugging Face's own `datasets`.

usage: test_datasets.py BIFRONS MODEL_DIRECTORY

Exit status 77: the packages datasets and Pillow are not installed (pip install datasets pillow).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zlib

os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1")
try:
    import datasets
    import PIL  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
datasets.disable_progress_bars()

# Columns in the form of a benchmark of compositions, with our own words.
SCENES = [
    {"tag": "single_object", "include": [{"class": "kite", "count": 1}], "prompt": "a picture of a kite"},
    {"tag": "counting", "include": [{"class": "boat", "count": 3}], "exclude": [{"class": "boat", "count": 4}],
     "prompt": "a picture of three boats"},
    {"tag": "color_attr", "include": [{"class": "star", "count": 1, "color": "red"}], "exclude": [],
     "prompt": "a picture of a red star"},
    {"tag": "position", "include": [{"class": "cat", "count": 1}, {"class": "dog", "position": ["left of", 0]}],
     "prompt": "a picture of a dog left of a cat"},
]
# One column for every kind of value, and the names by which the loader finds pictures.
MIXED = [
    {"prompt": f"a picture of mixed things {i}", "value": value, "mask_file_name": "not/there.png",
     "file_names": ["a"], "a\0b": "nul", "": "no name", "label": i}
    for i, value in enumerate([7, "seven", None, 1.5, True, [], {}, {"a": [1, "b", None]}, 2 ** 64 - 1, -3, "2024-01-01"])
]
SEEDS = [{"prompt": "a picture of seeds", "seed": seed, "cfg": cfg, "temperature": cfg, "negative_prompt": "blurred"}
         for seed, cfg in [(0, 5), (2 ** 63 - 1, 0.5), (2 ** 63, 1), (2 ** 64 - 1, 2.25)]]


def checked(line):
    """A line of a manifest with the checksum that it must have."""
    body = line[:line.rindex(',"crc32":')]
    return f'{body},"crc32":"{zlib.crc32(body.encode()):08x}"}}'


def but_checksum(line):
    return {name: value for name, value in json.loads(line).items() if name != "crc32"}


class Datasets(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.root = pathlib.Path(self.scratch.name)

    def run_bifrons(self, *words):
        outcome = subprocess.run([BIFRONS, *words], cwd=self.root, text=True, capture_output=True)
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        return outcome

    def batch(self, lines, *words, output="out"):
        (self.root / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return self.run_bifrons("batch", "p.jsonl", "-m", MODEL, "-t", "1", "-o", output, *words)

    def load(self, directory="out", **more):
        cache = str(self.root / "cache" / str(len(list(self.root.iterdir()))))
        data = datasets.load_dataset("imagefolder", data_dir=str(self.root / directory), cache_dir=cache, **more)
        return list(data["train"])

    def manifest(self, directory="out"):
        return (self.root / directory / "metadata.jsonl").read_text().splitlines()

    def check_columns(self, rows, lines):
        self.assertEqual(len(rows), len(lines))
        for row in rows:
            wanted = next(line for line in lines if line["prompt"] == row["text"])
            self.assertGreater(row["image"].width, 0)
            for name, value in wanted.items():
                name = {"prompt": "text", "file_names": "original_file_names_", "a\0b": "a\ufffdb",
                        "mask_file_name": "original_mask_file_name_"}.get(name, name)
                self.assertEqual(row[name] if isinstance(value, str) else json.loads(row[name]), value)
            self.assertTrue(all(row.get(name) is None for name in ("include", "exclude") if name not in wanted))

    def test_scenes_of_a_benchmark(self):
        self.batch(SCENES)
        self.check_columns(self.load(), SCENES)

    def test_every_kind_of_value_in_one_column(self):
        self.batch(MIXED)
        self.check_columns(self.load(), MIXED)

    def test_our_own_columns_keep_their_types(self):
        self.batch(SEEDS)
        rows = self.load()
        # In the order of completion.
        self.assertEqual({(row["seed"] if row["seed"] is not None else int(row["large_seed"]), row["cfg"]) for row in rows},
                         {(line["seed"], line["cfg"]) for line in SEEDS})
        self.assertTrue(all(isinstance(row["cfg"], float) for row in rows))
        # Every picture is the same when it is drawn again from its own manifest.
        self.run_bifrons("batch", "out/metadata.jsonl", "-m", MODEL, "-t", "1", "-o", "again")
        for line in map(json.loads, self.manifest()):
            name = line["file_name"]
            self.assertEqual((self.root / "again" / name).read_bytes(), (self.root / "out" / name).read_bytes())

    # The loader infers the types of columns from the first ten megabytes. This manifest is longer.
    def test_types_stay_over_a_long_manifest(self):
        pad = "x" * 50_000
        self.batch([{"prompt": "a", "pad": pad, "value": None, "count": 220, "cfg": 5, "seed": 1},
                    {"prompt": "b", "pad": pad, "value": "text", "count": 2, "cfg": 4.5, "seed": 2 ** 63}], "--batch", "16")
        rows = self.load()
        self.assertEqual({(row["text"], row["cfg"], row["value"]) for row in rows},
                         {("a", 5.0, "null"), ("b", 4.5, "text")})

    def test_shards_and_their_merge(self):
        for shard in range(2):
            self.batch(SCENES + MIXED, "--shard", f"{shard}/2")
        names = sorted(path.name for path in (self.root / "out").glob("metadata.*.jsonl"))
        self.assertEqual(len(names), 2)
        self.assertEqual(len(self.load(data_files="**", metadata_filenames=names)), len(SCENES + MIXED))
        self.run_bifrons("merge", "out")
        self.check_columns(self.load(), SCENES + MIXED)

    # The form of earlier versions: values unchanged, and integers in columns of reals.
    def as_before(self, directory):
        path = self.root / directory / "metadata.jsonl"
        lines = []
        for line in map(json.loads, path.read_text().splitlines()):
            for name in ("include", "exclude"):
                if name in line:
                    line[name] = json.loads(line[name])
            line["cfg"] = int(line["cfg"])
            lines.append(checked(json.dumps(line, separators=(",", ":"), ensure_ascii=False)))
        path.write_text("\n".join(lines) + "\n")
        return lines

    def test_a_directory_of_an_earlier_version_resumed(self):
        self.batch(SCENES[:2])
        drawn = self.manifest()
        self.assertNotEqual(self.as_before("out"), drawn)
        outcome = self.batch(SCENES)
        self.assertIn("2 were done before", outcome.stderr)
        self.assertEqual([but_checksum(line) for line in self.manifest()[:2]], [but_checksum(line) for line in drawn])
        self.check_columns(self.load(), SCENES)

    def test_a_directory_of_an_earlier_version_merged(self):
        self.batch(SCENES[:2], output="before")
        self.as_before("before")
        self.batch(SCENES[2:], output="now")
        self.run_bifrons("merge", "before", "now", "-o", "all")
        self.check_columns(self.load("all"), SCENES)

    # The loader takes a file whose name contains "train" or "test" for a split, unless it is told
    # which files to use.
    def test_names_that_look_like_splits(self):
        lines = [{"prompt": "a picture of a train", "note": 1}, {"prompt": "a test of a test", "note": "x"}]
        self.batch(lines)
        self.check_columns(self.load(data_files="**"), lines)


if __name__ == "__main__":
    BIFRONS, MODEL = map(os.path.abspath, sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
