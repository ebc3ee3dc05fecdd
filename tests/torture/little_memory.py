#!/usr/bin/env python3
"""Runs commands with less and less address space (`ulimit -v`): each run succeeds or ends with 69.

The sweep starts at the least memory with which `bifrons --version` works. With less, the dynamic
loader and the constructors of libraries fail before main(), and Bifrons cannot prevent that. From
there the memory grows in steps until the command has worked four times in a row. Every run must end
with 0, or with 69 and a message.

usage: little_memory.py PROGRAM MODEL [--step MEGABYTES] [--only COMMAND]

Exit status 77: the system has no such limit.
"""
import argparse
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

MEGABYTE = 1 << 20
MOST = 16 << 10  # megabytes
ENOUGH_IN_A_ROW = 4
SECONDS = 120


class Sweep:
    def __init__(self, program: str, model: str, scratch: pathlib.Path):
        self.program = program
        self.model = model
        self.scratch = scratch
        self.runs = 0
        self.wrong: list[str] = []

    def run(self, words: list[str], megabytes: int) -> tuple[int, str]:
        limit = megabytes * MEGABYTE
        done = subprocess.run(
            [self.program, *words], cwd=self.scratch, capture_output=True, timeout=SECONDS,
            stdin=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        return done.returncode, done.stderr.decode(errors="replace")

    def least(self) -> int:
        """The least megabytes with which the program reaches main()."""
        low, high = 1, MOST
        while low < high:
            middle = (low + high) // 2
            if self.run(["--version"], middle)[0] == 0:
                high = middle
            else:
                low = middle + 1
        return low

    def commands(self) -> dict[str, list[str]]:
        m = ["-m", self.model]
        (self.scratch / "p.txt").write_text("a fox\na cat\nan owl\n")
        prepare = [["a fox", "-o", "picture.png", "--tokens-out", "codes.json", "-s", "1", "-y", *m]]
        for words in prepare:
            code, said = self.run(words, MOST)
            assert code == 0, said
        return {
            "generate": ["a fox", "-o", "x.png", "-y", "-s", "1", *m],
            "generate-threads": ["a fox", "-o", "x.png", "-y", "-s", "1", "-t", "8", *m],
            "generate-jpeg": ["a fox", "-o", "x.jpg", "-y", "-s", "1", *m],
            "batch": ["batch", "p.txt", "-o", "out", "--fresh", "-t", "2", *m],
            "batch-best": ["batch", "p.txt", "-o", "out", "--fresh", "--best-of", "2", "-t", "2", *m],
            "decode": ["decode", "codes.json", "-o", "x.png", "-y", *m],
            "encode": ["encode", "picture.png", "-o", "x.json", "-y", *m],
            "describe": ["describe", "picture.png", "-t", "2", *m],
            "reconstruct": ["reconstruct", "picture.png", "-o", "x.png", "-y", *m],
            "vary": ["vary", "picture.png", "-p", "a cat", "-o", "x.png", "-y", *m],
            "ask": ["ask", "picture.png", "Is it a fox?", *m],
            "grid": ["grid", "a fox", "-x", "cfg=1,2", "-o", "g.png", "--overwrite", *m],
            "info": ["info", "picture.png"],
            "inspect": ["inspect", *m],
            "bench": ["bench", "--repeats", "1", "--understand", *m],
            "doctor": ["doctor", *m],
            "verify": ["verify", *m],
        }

    def sweep(self, name: str, words: list[str], first: int, step: int) -> None:
        in_a_row = 0
        for megabytes in range(first, MOST, step):
            self.runs += 1
            try:
                code, said = self.run(words, megabytes)
            except subprocess.TimeoutExpired:
                code, said = -1000, "no end"
            in_a_row = in_a_row + 1 if code == 0 else 0
            # `doctor` reports the problem and goes on.
            fine = code == 0 or (code == 69 and "memory" in said) or (name == "doctor" and code == 69)
            if not fine:
                self.wrong.append(f"{name} with {megabytes} MB: {code}, {said.strip()[-300:]!r}")
            if in_a_row == ENOUGH_IN_A_ROW:
                return
        self.wrong.append(f"{name} never works")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--step", type=int, default=2)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if not hasattr(resource, "RLIMIT_AS"):
        return 77
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-memory-"))
    try:
        sweep = Sweep(str(pathlib.Path(arguments.program).resolve()), str(pathlib.Path(arguments.model).resolve()),
                      scratch)
        first = sweep.least()
        for name, words in sweep.commands().items():
            if arguments.only in ("", name):
                sweep.sweep(name, words, first, arguments.step)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for each in sweep.wrong[:40]:
        print(each)
    print(f"{sweep.runs} runs from {first} MB on, {len(sweep.wrong)} of them wrong")
    return 1 if sweep.wrong or sweep.runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
