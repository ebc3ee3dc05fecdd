#!/usr/bin/env python3
"""Interrupts a batch at each of its system calls, resumes it, and checks the result.

For each kind of system call, strace interrupts the k-th call, for every k: with SIGKILL, and with
the errors of a disk. Immediately afterwards, every line of the manifest must name a complete file.
After one more undisturbed run, every picture must exist once, and nothing else. There are two
scenes: an empty directory, and a directory whose pictures are all replaced because a setting
changed.

usage: kill_points.py SUBJECT [--every N] [--naive]
  --every N  only every N-th call, starting with a different one for each kind
  --naive    test the wrong writer of subject.cpp; the exit status is 0 if its errors are detected

Exit status 77: strace is not installed or not permitted to trace.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

CALLS = ["openat", "write", "fsync", "fdatasync", "close", "link,linkat", "rename,renameat,renameat2",
         "unlink,unlinkat", "mkdir,mkdirat", "ftruncate", "flock", "pwrite64", "lseek"]
ACTIONS = {"SIGKILL": "signal=SIGKILL", "ENOSPC": "error=ENOSPC", "EIO": "error=EIO"}
PICTURES = [f"picture-{i}.png" for i in range(5)]
FOREIGN = "notes.txt"


def content_of(name: str, setting: str) -> bytes:
    return f"picture {name} {setting}\n".encode() * 2000


def manifest_lines(directory: pathlib.Path) -> list[dict]:
    """The lines with a valid checksum."""
    path = directory / "metadata.jsonl"
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().split(b"\n"):
        body, mark, rest = line.rpartition(b',"crc32":"')
        if mark and rest == f'{zlib.crc32(body):08x}"}}'.encode():
            found.append(json.loads(line))
    return found


class Torture:
    def __init__(self, subject: str, naive: bool):
        self.subject = subject
        self.naive = ["naive"] if naive else []
        self.points = 0
        self.violations: list[str] = []
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-torture-"))

    def run(self, setting: str, options: list[str] = ()) -> int:
        command = [self.subject, str(self.scratch / "out"), setting, *self.naive]
        if options:
            command = ["strace", "-qq", *options, *command]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    def begin(self, scene: str) -> None:
        """Prepares an empty directory, or one with pictures drawn with another setting."""
        shutil.rmtree(self.scratch / "out", ignore_errors=True)
        (self.scratch / "out").mkdir()
        (self.scratch / "out" / FOREIGN).write_text("mine")
        if scene == "replace":
            self.run("before")

    def points_of(self, scene: str) -> dict[str, range]:
        """For each kind of call: the numbers of the calls after the program first touches the
        directory."""
        self.begin(scene)
        log = self.scratch / "log"
        self.run("now", ["-o", str(log), "-e", "trace=" + ",".join(map(optional, CALLS))])
        seen = {call: 0 for call in CALLS}
        before: dict[str, int] | None = None  # calls of the dynamic loader, which are not tested
        for line in log.read_text(errors="replace").splitlines():
            name = line.partition("(")[0]
            if before is None and str(self.scratch / "out") in line:
                before = dict(seen)
            for call in CALLS:
                seen[call] += name in call.split(",")
        return {call: range((before or seen)[call] + 1, seen[call] + 1) for call in CALLS}

    def check_lines(self) -> list[str]:
        """Checks what must hold at any moment, also between a crash and the next run."""
        out = self.scratch / "out"
        wrong = []
        latest = {line["file_name"]: line for line in manifest_lines(out)}
        for name, line in latest.items():
            path = out / name
            # A replaced picture may already be deleted or new; the next run must notice it.
            now, before = content_of(name, "now"), content_of(name, "before")
            if path.exists() and path.read_bytes() not in (now, before):
                wrong.append(f"{name} is listed but torn")
            elif not path.exists() and line["bytes"] == len(now):
                wrong.append(f"{name} is listed but not there")
        if (out / FOREIGN).read_text() != "mine":
            wrong.append("a foreign file was touched")
        return wrong

    def check_end(self, code: int, swept: bool = True) -> list[str]:
        """Checks what must hold after an undisturbed run."""
        out = self.scratch / "out"
        wrong = [] if code == 0 else [f"the second run ended with {code}"]
        for name in PICTURES:
            path = out / name
            if not path.exists():
                wrong.append(f"{name} is lost")
            elif path.read_bytes() != content_of(name, "now"):
                wrong.append(f"{name} is torn or stale")
        names = [line["file_name"] for line in manifest_lines(out)]
        if sorted(names) != PICTURES:
            wrong.append(f"the manifest lists {sorted(names)}")
        left = {p.name for p in out.iterdir()} - {*PICTURES, FOREIGN, "metadata.jsonl", ".bifrons"}
        if left:
            wrong.append(f"left over: {left}")
        # A temporary file that could not be removed is a second name of a complete file; the next
        # run removes it.
        if swept and not self.naive and any((out / ".bifrons/parts").iterdir()):
            wrong.append("parts are left over")
        return wrong

    def break_at(self, scene: str, call: str, action: str, k: int) -> None:
        self.begin(scene)
        names = optional(call)
        inject = f"inject={names}:{ACTIONS[action]}:when={k}"
        code = self.run("now", ["-o", "/dev/null", "-e", "trace=" + names, "-e", inject])
        wrong = self.check_lines()
        if code == 0:
            wrong += [f"said done, but {each}" for each in self.check_end(0, swept=False)]
        wrong += self.check_end(self.run("now"))
        self.points += 1
        self.violations += [f"{scene}, {action} at {call} {k}: {each}" for each in wrong]

    def everything(self, every: int) -> None:
        for scene in ["empty"] if self.naive else ["empty", "replace"]:
            for number, (call, points) in enumerate(self.points_of(scene).items()):
                for turn, action in enumerate(ACTIONS):
                    for k in points[(number + turn) % every :: every]:
                        self.break_at(scene, call, action, k)


def optional(call: str) -> str:
    """Marks system calls that this architecture may lack."""
    return ",".join("?" + name for name in call.split(","))


def can_trace() -> bool:
    return shutil.which("strace") is not None and subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("subject")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--naive", action="store_true")
    arguments = parser.parse_args()
    if not can_trace():
        print("skipped: strace is not installed or may not trace here (tools/install_deps.sh installs it)")
        return 77
    torture = Torture(os.path.abspath(arguments.subject), arguments.naive)
    try:
        torture.everything(arguments.every)
    finally:
        shutil.rmtree(torture.scratch, ignore_errors=True)
    for violation in torture.violations[:20]:
        print(violation)
    print(f"{torture.points} points broken, {len(torture.violations)} violations")
    if arguments.naive:
        return 0 if torture.violations else 1
    return 1 if torture.violations or torture.points == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
