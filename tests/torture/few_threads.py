#!/usr/bin/env python3
"""Runs a command while the system refuses its k-th thread, or all threads from the k-th on, for
every k.

usage: few_threads.py PROGRAM MODEL THREAD_LIMIT_LIBRARY [--only COMMAND]

Every run must end with 0 and write the files that the undisturbed run writes: with fewer threads than were
asked for, the work is done with those there are.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

SECONDS = 120


class Refusals:
    def __init__(self, program: str, model: str, library: str, scratch: pathlib.Path, every: int):
        self.every = every
        self.program, self.model, self.library, self.scratch = program, model, library, scratch
        self.runs = 0
        self.wrong: list[str] = []

    def run(self, words: list[str], **variables: str) -> tuple[int, str, dict[str, bytes]]:
        """Returns the exit code, the output, and the pictures that were written."""
        out = self.scratch / "out"
        shutil.rmtree(out, ignore_errors=True)
        calls = self.scratch / "calls"
        calls.write_bytes(b"")
        environment = {**os.environ, "LD_PRELOAD": self.library, "BIFRONS_TEST_CALLS": str(calls), **variables}
        try:
            # A shell's background jobs ignore SIGINT, which a library may raise; users' do not.
            done = subprocess.run([self.program, *words], cwd=self.scratch, capture_output=True, env=environment,
                                  stdin=subprocess.DEVNULL, timeout=SECONDS,
                                  preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        except subprocess.TimeoutExpired:
            return -1000, "no end", {}
        files = {str(path.relative_to(out)): path.read_bytes()
                 for path in sorted(out.rglob("*.png"))} if out.exists() else {}
        return done.returncode, done.stderr.decode(errors="replace"), files

    def commands(self) -> dict[str, list[str]]:
        m = ["-m", self.model]
        (self.scratch / "p.txt").write_text("a fox\na cat\nan owl\n")
        code, said, _ = self.run(["a fox", "-o", "picture.png", "--tokens-out", "codes.json", "-s", "1", *m])
        assert code == 0, said
        return {
            "generate": ["a fox", "-o", "out/", "-s", "1", "-t", "4", "-n", "2", *m],
            "batch": ["batch", "p.txt", "-o", "out", "-t", "3", *m],
            "batch-best": ["batch", "p.txt", "-o", "out", "-t", "2", "--best-of", "2", *m],
            "batch-devices": ["batch", "p.txt", "-o", "out", "-t", "2", "--devices", "cpu,cpu,cpu", *m],
            "decode": ["decode", "codes.json", "-o", "out/", "-t", "3", *m],
            "vary": ["vary", "picture.png", "-p", "a cat", "--strength", "0.5", "-o", "out/", "-t", "3", "-s", "1", *m],
            "grid": ["grid", "a fox", "-x", "cfg=1,2", "-o", "sheet.png", "--overwrite", *m],
            "encode": ["encode", "picture.png", "-o", "codes2.json", "-y", "-t", "3", *m],
            "describe": ["describe", "picture.png", "-t", "3", *m],
            "doctor": ["doctor", *m],
            "verify": ["verify", *m],
        }

    def refuse(self, name: str, words: list[str]) -> None:
        code, said, expected = self.run(words)
        if code != 0:
            self.wrong.append(f"{name} undisturbed: {code}, {said[-300:]!r}")
            return
        threads = len((self.scratch / "calls").read_bytes())
        for k in range(1, threads + 1, self.every):
            for kind in [{}, {"BIFRONS_TEST_REFUSE_ONE": "1"}]:
                code, said, files = self.run(words, BIFRONS_TEST_FIRST_REFUSED=str(k), **kind)
                self.runs += 1
                if code != 0:
                    self.wrong.append(f"{name} without thread {k}: {code}, {said.strip()[-300:]!r}")
                elif files != expected:
                    self.wrong.append(f"{name} without thread {k} wrote something else")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("library")
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-threads-"))
    try:
        refusals = Refusals(*(str(pathlib.Path(each).resolve()) for each in
                              (arguments.program, arguments.model, arguments.library)), scratch, arguments.every)
        for name, words in refusals.commands().items():
            if arguments.only in ("", name):
                refusals.refuse(name, words)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for each in refusals.wrong[:40]:
        print(each)
    print(f"{refusals.runs} runs short of threads, {len(refusals.wrong)} of them wrong")
    return 1 if refusals.wrong or refusals.runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
