#!/usr/bin/env python3
"""Truncates a model's files while the program reads them, before its k-th read, for many k.

The program must end with 65 or 66 and one message and write nothing, or with 0 if it had already
read the whole file. It must never end with a signal, which would happen for a truncated
memory-mapped file.

usage: shrinking_files.py BIFRONS PRELOAD MODELS [--every N]
  PRELOAD    the library of shrink_at.cpp
  MODELS     a directory of small models
  --every N  only every N-th read
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

DRAW = ["generate", "-m", "m", "a cat", "-s", "1", "-o", "out.png", "--threads", "1"]
ENCODE = ["encode", "-m", "m", "picture.png", "-o", "out.json", "--threads", "1"]
DESCRIBE = ["describe", "-m", "m", "picture.png", "--max-tokens", "1", "--threads", "1"]
INSPECT = ["inspect", "-m", "m"]
DOCTOR = ["doctor", "-m", "m"]

# Model, truncated file, command.
SCENES = [
    ("toy-f32", "model.safetensors", DRAW),
    ("toy-hf", "model-00002-of-00003.safetensors", ENCODE),
    ("toy-f32", "tokenizer.json", DRAW),
    ("toy-f32", "config.json", DRAW),
    ("toy-sees", "model.safetensors", DESCRIBE),
    ("toy-hf", "model-00002-of-00003.safetensors", DRAW),
    ("grouped-query", "pytorch_model-00001-of-00002.bin", DRAW),
    ("grouped-query", "pytorch_model.bin.index.json", DRAW),
    ("wide-head", "pytorch_model.bin", DRAW),
    ("wide-head", "pytorch_model.bin", INSPECT),
    ("wide-head", "pytorch_model.bin", DOCTOR),
]


class Shrinking:
    def __init__(self, arguments: argparse.Namespace, scratch: pathlib.Path):
        self.bifrons = os.path.abspath(arguments.bifrons)
        self.preload = os.path.abspath(arguments.preload)
        self.models = pathlib.Path(arguments.models)
        self.scratch = scratch
        self.refused = self.runs = 0
        self.violations: list[str] = []

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "LD_PRELOAD": self.preload, **variables}
        return subprocess.run([self.bifrons, *command], cwd=self.scratch, env=environment,
                              capture_output=True, text=True, timeout=120)

    def written(self) -> list[pathlib.Path]:
        return [p for p in self.scratch.iterdir() if p.name.startswith("out")]

    def prepare(self, model: str) -> None:
        shutil.rmtree(self.scratch / "m", ignore_errors=True)
        files = [p for p in (self.models / model).iterdir() if p.is_file()]
        (self.scratch / "m").mkdir()
        for path in files:
            shutil.copyfile(path, self.scratch / "m" / path.name)
        for path in self.written():
            path.unlink()

    def shrink(self, model: str, file: str, command: list[str], at: int, to: int) -> None:
        self.prepare(model)
        done = self.run(command, SHRINK_AT=str(at), SHRINK_FILE=f"m/{file}", SHRINK_TO=str(to))
        self.runs += 1
        self.refused += done.returncode in (65, 66)
        where = f"{command[0]}, {model}/{file} cut to {to} at read {at}"
        said = (done.stderr + done.stdout).strip()  # doctor writes its messages to standard output
        if done.returncode not in (0, 65, 66):
            self.violations.append(f"{where}: ended with {done.returncode}: {said[-300:]}")
        elif done.returncode != 0 and self.written():
            self.violations.append(f"{where}: refused, but something was written")
        elif done.returncode != 0 and not said:
            self.violations.append(f"{where}: refused without a word")

    def scene(self, number: int, every: int) -> None:
        model, file, command = SCENES[number]
        self.prepare(model)
        count = self.scratch / "count"
        count.unlink(missing_ok=True)
        whole = self.run(command, SHRINK_COUNT=str(count))
        if whole.returncode != 0:
            self.violations.append(f"{command[0]}, {model}: {whole.stderr.strip()} undisturbed")
            return
        reads = int(count.read_text())
        size = (self.models / model / file).stat().st_size
        for at in range(1 + number % every, reads + 1, every):
            self.shrink(model, file, command, at, [0, size // 2, size - 1][at % 3])

    def picture(self) -> None:
        self.prepare("toy-f32")
        drawn = self.run([*DRAW[:DRAW.index("-o")], "-o", "picture.png"])
        if drawn.returncode != 0:
            self.violations.append(f"no picture to begin with: {drawn.stderr.strip()}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("bifrons")
    parser.add_argument("preload")
    parser.add_argument("models")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bifrons-torture-") as scratch:
        shrinking = Shrinking(arguments, pathlib.Path(scratch))
        shrinking.picture()
        for number in range(len(SCENES)):
            shrinking.scene(number, arguments.every)
    for violation in shrinking.violations[:20]:
        print(violation)
    print(f"{shrinking.runs} files shortened, {shrinking.refused} refused, "
          f"{len(shrinking.violations)} violations")
    return 1 if shrinking.violations or shrinking.refused == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
