#!/usr/bin/env python3
"""Puts special or unreachable files behind every name that a command reads or writes.

Kinds: a pipe without a writer, /dev/zero, a directory, a link to itself, a name of 256 bytes, a
file in place of a directory, a directory that may not be searched (as another user; left out if
that user is not available), and a deleted current directory. Every command must end with one of its
own exit codes and one message. The message must not be "unexpected failure" and must not repeat a
name of kilobytes.

usage: special_files.py PROGRAM MODEL [--every N]
"""
import argparse
import itertools
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

SECONDS = 60
LONGEST_SENTENCE = 3000
CODES = {0, 2, 3, 65, 66, 73}
NOBODY = 65534

KINDS = ["pipe", "zero", "directory", "loop",  # in place of an existing file
         "long", "below-file", "below-loop", "locked"]
# Commands that read one name, and commands that write one; "@" stands for the name.
READERS = [
    ["info", "@"], ["a fox", "--like", "@", "-o", "x.png", "-y"], ["decode", "@", "-o", "x.png", "-y"],
    ["encode", "@", "-o", "x.json", "-y"], ["describe", "@"], ["ask", "@", "Is it a fox?"],
    ["vary", "@", "-p", "a fox", "-o", "x.png", "-y"], ["vary", "picture.png", "--mask", "@", "-p", "a fox", "-o", "x.png", "-y"],
    ["grid", "a fox", "-x", "cfg=1", "--font", "@", "-o", "x.png", "--overwrite"],
    ["batch", "@", "--format", "txt", "-o", "fresh"], ["batch", "@", "--format", "jsonl", "--strict", "-o", "fresh"],
    ["batch", "@", "--format", "txt", "-o", "fresh", "--dry-run"],
    ["batch", "templates.txt", "--expand", "--wildcards", "@", "-o", "fresh"],
    ["batch", "templates.txt", "--expand", "--wildcards", "around", "-o", "fresh"],
    ["a fox", "-m", "@", "-o", "x.png", "-y"], ["inspect", "-m", "@"], ["doctor", "-m", "@"],
    ["verify", "-m", "@"], ["merge", "@"], ["merge", "--check", "@"], ["merge", "batch", "@", "-o", "fresh"], ["gallery", "@"],
]
WRITERS = [
    ["a fox", "-o", "@.png"], ["a fox", "-o", "@.png", "-y"], ["a fox", "-o", "@/"], ["a fox", "-o", "@/x.png"],
    ["a fox", "-o", "x.png", "-y", "--tokens-out", "@.json"], ["a fox", "-n", "2", "--grid", "-o", "@.png"],
    ["decode", "codes.json", "-o", "@.png"], ["encode", "picture.png", "-o", "@.json"],
    ["grid", "a fox", "-x", "cfg=1", "-o", "@.png"], ["vary", "picture.png", "-p", "a cat", "-o", "@.png"],
    ["batch", "p.txt", "-o", "@"], ["batch", "p.txt", "-o", "@", "--dry-run"], ["batch", "p.txt", "-o", "@", "--strict"],
    ["batch", "p.txt", "-o", "@/deeper"], ["merge", "batch", "-o", "@"], ["doctor", "-o", "@"],
]
# Files in a batch directory, and the commands that meet them.
INSIDE = ["metadata.jsonl", "metadata.00000-of-00002.jsonl", "index.html", "a.png", ".bifrons", ".bifrons/lock",
          ".bifrons/lock.00000-of-00002", ".bifrons/run.json", ".bifrons/run.00000-of-00002.json",
          ".bifrons/errors.jsonl", ".bifrons/parts", ".bifrons/parts/b.png", ".metadata.jsonl.part",
          ".bifrons/.run.json.part", ".bifrons/random.json"]
VISITORS = [["batch", "p.txt", "-o", "batch"], ["batch", "p.txt", "-o", "batch", "--seed", "-1"],
            ["batch", "p.txt", "-o", "batch", "--resume", "verify", "--gallery", "--grid", "-y"],
            ["batch", "p.txt", "-o", "batch", "--fresh"], ["batch", "p.txt", "-o", "batch", "--shard", "0/2"],
            ["batch", "p.txt", "-o", "batch", "--dry-run"], ["merge", "batch"], ["merge", "--check", "batch"],
            ["merge", "batch", "-o", "fresh"], ["gallery", "batch"]]


class Special:
    def __init__(self, program: str, model: str, scratch: pathlib.Path):
        self.program, self.scratch = program, scratch
        self.environment = {**os.environ, "BIFRONS_MODEL": model}
        self.runs = 0
        self.wrong: list[str] = []
        self.start: list[str] = []
        self.has_nobody = False

    def execute(self, words: list[str], cwd: pathlib.Path, prefix: list[str] = ()) -> tuple[int, str]:
        try:
            done = subprocess.run([*prefix, self.program, *words], cwd=cwd, capture_output=True,
                                  env=self.environment, stdin=subprocess.DEVNULL, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return -1000, "no end"
        # The output of `doctor` is its message.
        said = done.stderr + (done.stdout if words[0] == "doctor" else b"")
        return done.returncode, said.decode(errors="replace")

    def prepare(self) -> None:
        """Makes a directory with a batch, a picture and its codes; each run gets a copy."""
        base = self.scratch / "base"
        base.mkdir()
        (base / "p.txt").write_text("a fox --id a\na cat --id b\n")
        (base / "templates.txt").write_text("a __thing__\n")
        for words in [["a fox", "-o", "picture.png", "--tokens-out", "codes.json", "-s", "1"],
                      ["batch", "p.txt", "-o", "batch"]]:
            code, said = self.execute(words, base)
            assert code == 0, said
        for path in [self.scratch, base, *base.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        if os.geteuid() == 0 and shutil.which("setpriv"):
            self.has_nobody = self.execute(["info", "picture.png"], base, as_nobody)[0] == 0
        self.as_nobody = as_nobody

    def put(self, kind: str, path: pathlib.Path) -> pathlib.Path | None:
        """Makes it in place of `path`. Returns the name by which it is reached, None if it cannot
        be made."""
        if kind in ("long", "below-file", "below-loop", "locked"):
            if kind == "long":
                return path.parent / ("\u202e" + "n" * 253)
            if kind == "locked" and not self.has_nobody and os.geteuid() == 0:
                return None
            beside = path.parent / "beside"
            if kind == "below-file":
                beside.write_text("x")
            elif kind == "below-loop":
                beside.symlink_to("beside")
            else:
                beside.mkdir(mode=0)
            return beside / path.name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path, 0o666)
        elif kind == "zero":
            path.symlink_to("/dev/zero")
        elif kind == "directory":
            path.mkdir()
        else:
            path.symlink_to(path.name)
        return path

    def fresh(self) -> pathlib.Path:
        work = self.scratch / "work"
        for path in [work, *work.rglob("*")] if work.exists() else []:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o777)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self.scratch / "base", work)
        for path in [work, *work.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o777 if path.is_dir() else 0o666)
        return work

    def judge(self, what: str, words: list[str], cwd: pathlib.Path, prefix: list[str] = ()) -> None:
        self.runs += 1
        code, said = self.execute(words, cwd, prefix)
        if code not in CODES:
            self.wrong.append(f"{what}: {' '.join(words)[:200]}: ended with {code}: {said.strip()[-200:]!r}")
        elif "unexpected failure" in said or "mistake in this program" in said or (code != 0 and not said):
            self.wrong.append(f"{what}: {' '.join(words)[:200]}: {code}, {said.strip()[-200:]!r}")
        elif len(said) > LONGEST_SENTENCE or "\u202e" in said:
            self.wrong.append(f"{what}: {' '.join(words)[:200]}: {len(said)} bytes, {said[:200]!r}")

    def names(self, command: list[str], kind: str) -> None:
        if command[:2] == ["batch", "@"] and kind == "pipe":
            return  # a prompt file may be a pipe, as /dev/stdin is, and waits for its writer
        work = self.fresh()
        slot = "@"
        for suffix in (".png", ".json"):
            if any(word == "@" + suffix for word in command):
                slot = "@" + suffix
        name = self.put(kind, work / slot.replace("@", "subject"))
        if name is None:
            return
        if "around" in command:  # the wildcard file in the directory, not the directory
            (work / "around").mkdir()
            self.put(kind, work / "around/thing.txt")
        shown = str(name.relative_to(work))
        words = [word.replace(slot, shown) if slot in word else word for word in command]
        self.judge(f"{kind}", words, work, self.as_nobody if kind == "locked" and self.has_nobody else [])

    def inside(self, name: str, visitor: list[str], kind: str) -> None:
        work = self.fresh()
        path = work / "batch" / name
        if not path.parent.is_dir():
            return
        self.put(kind, path)
        self.judge(f"{kind} at {name}", visitor, work)

    def without_directory(self, command: list[str]) -> None:
        """A shell removes the current directory and then starts the program."""
        gone = self.scratch / "gone"
        gone.mkdir(exist_ok=True)
        words = [word.replace("@", "subject") for word in command]
        self.judge("no current directory", words, gone, ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh"])

    def everything(self, every: int) -> None:
        commands = READERS + WRITERS
        cases = [(self.names, case) for case in itertools.product(commands, KINDS)]
        cases += [(self.inside, case) for case in itertools.product(INSIDE, VISITORS, KINDS[:4])]
        cases += [(self.without_directory, (command,)) for command in commands]
        for number, (case, values) in enumerate(cases):
            if (number + number // every) % every == 0:  # another kind for each command
                case(*values)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-special-"))
    scratch.chmod(0o777)
    special = Special(str(pathlib.Path(arguments.program).resolve()), str(pathlib.Path(arguments.model).resolve()), scratch)
    try:
        special.prepare()
        special.everything(arguments.every)
    finally:
        for path in scratch.rglob("*"):
            if not path.is_symlink() and stat.S_ISDIR(path.lstat().st_mode):
                path.chmod(0o777)
        shutil.rmtree(scratch, ignore_errors=True)
    for each in special.wrong[:60]:
        print(each)
    if not special.has_nobody:
        print("left out: directories that may not be searched (no other user to be had)")
    print(f"{special.runs} runs, {len(special.wrong)} of them wrong")
    return 1 if special.wrong or special.runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
