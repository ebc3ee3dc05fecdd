#!/usr/bin/env python3
"""Gives special files to every option and argument that names an input.

Pipes without a writer, sockets, endless devices, directories, loops of links and oversized files
must each be refused with one line on standard error, before they are read to the end. What a shell
passes, <(command) and /dev/stdin, must be read.

usage: special_inputs.py BIFRONS [--every N]

--every N gives every N-th of the pairs of a special file and a command; endless and passed files are
always tried with all commands.
"""
import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent
DRAWS = ROOT / "tests/golden/models/toy-hf"  # has a VQ encoder
SEES = ROOT / "tests/golden/models/toy-sees"
SECONDS = 60  # for a busy machine; a hanging command never ends

# Commands; INPUT is replaced by the special file. Other names are valid pictures, prompts or
# tokens.
PICTURES = [
    ["info", "INPUT"],
    ["info", "good.png", "INPUT"],
    ["generate", "--like", "INPUT", "-m", DRAWS, "-o", "x.png", "-y"],
    ["vary", "INPUT", "-p", "a fox", "-m", DRAWS, "-o", "x.png", "-y"],
    ["vary", "good.png", "-p", "a fox", "--mask", "INPUT", "-m", DRAWS, "-o", "x.png", "-y"],
    ["encode", "INPUT", "-m", DRAWS, "-o", "x.json", "-y"],
    ["reconstruct", "INPUT", "-m", DRAWS, "-o", "x.png", "-y"],
    ["describe", "INPUT", "-m", SEES, "--max-tokens", "1"],
    ["describe", "good.png", "INPUT", "-m", SEES, "--max-tokens", "1"],
    ["ask", "INPUT", "what", "-m", SEES, "--max-tokens", "1"],
    ["ask", "good.png", "what", "-i", "INPUT", "-m", SEES, "--max-tokens", "1"],
    ["chat", "INPUT", "-m", SEES, "--max-tokens", "1"],
]
OTHERS = [
    ["decode", "INPUT", "-m", DRAWS, "-o", "x.png", "-y"],
    ["grid", "a fox", "-x", "cfg=1,2", "--font", "INPUT", "-m", DRAWS, "-o", "x.png", "--overwrite"],
]
DIRECTORIES = [
    ["generate", "a fox", "-m", "INPUT", "-o", "x.png", "-y"],
    ["inspect", "-m", "INPUT"],
    ["tokenize", "a fox", "-m", "INPUT"],
    ["gallery", "INPUT"],
    ["merge", "--check", "INPUT"],
]
PROMPTS = ["batch", "INPUT", "--format", "txt", "-m", DRAWS, "-o", "out"]
WILDCARDS = ["batch", "template.txt", "--expand", "--wildcards", "INPUT", "-m", DRAWS, "-o", "out"]


class Trial:
    def __init__(self, program: str, every: int):
        self.program = program
        self.every = every
        self.pairs = 0
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-special-"))
        self.count = 0
        self.wrong: list[str] = []
        self.sockets: list[socket.socket] = []

    def prepare(self) -> dict[str, str]:
        """Makes the special files. Returns their names by kind."""
        here = self.place
        os.mkfifo(here / "pipe")
        (here / "to-pipe").symlink_to("pipe")
        (here / "to-zero").symlink_to("/dev/zero")
        (here / "loop").symlink_to("loop")
        (here / "dangling").symlink_to("nothing")
        (here / "folder").mkdir()
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(here / "socket"))
        self.sockets.append(listening)
        with open(here / "huge", "wb") as huge:
            huge.truncate(1 << 40)
        (here / "template.txt").write_text("a __colour__ fox\n")
        return {"a pipe": "pipe", "a link to a pipe": "to-pipe", "zeros": "/dev/zero", "a link to zeros": "to-zero",
                "a full device": "/dev/full", "a socket": "socket", "a loop": "loop", "a dangling link": "dangling",
                "a directory": "folder", "a huge file": "huge", "a long name": "n" * 300, "a terminal": "/dev/ptmx"}

    def run(self, words: list, given: str, stdin=subprocess.DEVNULL) -> tuple[int | None, str, str]:
        command = [self.program, *(given if word == "INPUT" else str(word) for word in words)]
        return self.finish(command, stdin)

    def finish(self, command: list[str], stdin) -> tuple[int | None, str, str]:
        self.count += 1
        try:
            done = subprocess.run(command, cwd=self.place, stdin=stdin, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return None, "", ""
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def expect(self, what: str, words: list, outcome, codes: tuple[int, ...]) -> None:
        code, _, err = outcome
        last = err.strip().splitlines()[-1:] or [""]
        if code not in codes or "unexpected failure" in err or (code != 0 and "bifrons: " not in err):
            self.wrong.append(f"{what} in {' '.join(map(str, words))}: {code}, {last[0][:200]}")

    def sampled(self) -> bool:
        self.pairs += 1
        return self.pairs % self.every == 0

    def refused(self, odd: dict[str, str]) -> None:
        for what, name in odd.items():
            for words in PICTURES + OTHERS:
                several = words[0] in ("info", "describe") and "good.png" in words
                if self.sampled():
                    self.expect(what, words, self.run(words, name), (3,) if several else (65, 66))
            for words in DIRECTORIES:
                if what != "a directory" and self.sampled():
                    self.expect(what, words, self.run(words, name), (2, 3, 65, 66))
            if what not in ("a pipe", "a link to a pipe") and self.sampled():  # a writer might still come
                self.expect(what, PROMPTS, self.run(PROMPTS, name), (65, 66))
            self.expect(what, WILDCARDS, self.run(WILDCARDS, name), (3, 65, 66))
            shutil.rmtree(self.place / "out", ignore_errors=True)

    def endless(self) -> None:
        """Endless data on standard input and from a shell's pipe."""
        for words in PICTURES + OTHERS:
            if words[0] in ("generate", "chat", "grid") or "good.png" in words:
                continue
            with open("/dev/zero", "rb") as zeros:
                self.expect("endless stdin", words, self.run(words, "-", zeros), (65,))
        for more in [], ["--strict"], ["--dry-run"]:
            with open("/dev/zero", "rb") as zeros:
                self.expect("endless stdin", PROMPTS, self.run(PROMPTS + more, "-", zeros), (65,))
            script = 'exec "$0" "$@" < <(exec cat /dev/zero)'
            words = [w if w != "INPUT" else "-" for w in map(str, PROMPTS + more)]
            self.expect("endless pipe", words,
                        self.finish(["bash", "-c", script, self.program, *words], subprocess.DEVNULL), (65,))

    def handed_over(self) -> None:
        """Process substitution and /dev/stdin."""
        script = 'p=$0; s=$1; shift; exec 9< <(exec cat "$s"); exec "$p" "${@/INPUT//dev/fd/9}"'
        for words in PICTURES:
            source = "mask.png" if "--mask" in words else "good.png"
            command = ["bash", "-c", script, self.program, source, *map(str, words)]
            self.expect("a shell's pipe", words, self.finish(command, subprocess.DEVNULL), (0,))
        with open(self.place / "good.png", "rb") as picture:
            self.expect("/dev/stdin", PICTURES[0], self.run(PICTURES[0], "/dev/stdin", picture), (0,))
        (self.place / "prompts").write_text("a fox\n")
        command = ["bash", "-c", script, self.program, "prompts", *map(str, PROMPTS)]
        self.expect("a shell's pipe", PROMPTS, self.finish(command, subprocess.DEVNULL), (0,))

    def everything(self) -> None:
        odd = self.prepare()
        made = self.run(["generate", "a fox", "-s", "1", "-m", DRAWS, "-o", "good.png"], "")
        shutil.copy(self.place / "good.png", self.place / "mask.png")
        if made[0] != 0:
            self.wrong.append("no picture to begin with: " + made[2])
            return
        self.refused(odd)
        self.endless()
        self.handed_over()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    trial = Trial(os.path.abspath(arguments.program), arguments.every)
    try:
        trial.everything()
    finally:
        for each in trial.sockets:
            each.close()
        shutil.rmtree(trial.place, ignore_errors=True)
    print("\n".join(trial.wrong[:40]))
    print(f"{trial.count} runs, {len(trial.wrong)} wrong")
    return 1 if trial.wrong or trial.count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
