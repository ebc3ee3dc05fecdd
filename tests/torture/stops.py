#!/usr/bin/env python3
"""Sends a stop signal to every command, early and at random moments. The command ends soon, with
75, or with 0 if it was done.

The earliest moment is when the kernel reports that the program catches SIGTERM. Before that, a
signal ends the process as usual. Commands marked as long cannot be done so early and must end with
75.

usage: stops.py PROGRAM MODEL [--moments N] [--seed N] [--only COMMAND]
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib

SECONDS = 60  # a hanging command never ends
LONGEST = 1  # second from the signal to the end, as the documentation promises
TRIES = 3  # of a stop that took longer: on a machine under load one may, but not all
BIG = 16 << 30  # bytes, sparse: many seconds of SHA-256


def listed(path: pathlib.Path, name: str, size: int) -> str:
    body = (f'{{"file_name":"{name}","text":"x","index":0,"model_hash":"0123456789abcdef","bytes":{size},'
            f'"sha256":"{hashlib.sha256(name.encode()).hexdigest()}","key":"{"0" * 64}"')
    with open(path / name, "wb") as file:
        file.truncate(size)
    return f'{body},"crc32":"{zlib.crc32(body.encode()):08x}"}}\n'


class Stops:
    def __init__(self, program: str, model: str, scratch: pathlib.Path, seed: int):
        self.program, self.scratch = program, scratch
        self.random = random.Random(seed)
        self.environment = {**os.environ, "BIFRONS_MODEL": model}
        self.runs = 0
        self.wrong: list[str] = []

    def prepare(self) -> None:
        (self.scratch / "few.txt").write_text("".join(f"a fox --id few{i}\n" for i in range(4)))
        (self.scratch / "many.txt").write_text("".join(f"a fox --seed {i} --id n{i}\n" for i in range(3000)))
        for words in [["a fox", "-o", "picture.png", "--tokens-out", "codes.json", "-s", "1"],
                      ["batch", "few.txt", "-o", "batch"],
                      # A run that is stopped leaves its batch unfinished, which merge reports.
                      ["batch", "few.txt", "-o", "verified"]]:
            subprocess.run([self.program, *words], cwd=self.scratch, check=True, capture_output=True, env=self.environment)
        record = json.loads((self.scratch / "codes.json").read_text())
        (self.scratch / "records.json").write_text(json.dumps([record] * 3000))
        (self.scratch / "big").mkdir()
        (self.scratch / "big/metadata.jsonl").write_text(listed(self.scratch / "big", "big.png", BIG))

    def commands(self) -> dict[str, tuple[list[str], bool, bool]]:
        """Words, whether the command is too long to be done early, and whether stdin stays open."""
        draw = ["-o", "x.png", "-y", "-s", "1"]
        pictures = ["picture.png"] * 400
        short = {
            "generate": ["a fox", *draw], "vary": ["vary", "picture.png", "-p", "a cat", *draw],
            "decode": ["decode", "codes.json", "-o", "x.png", "-y"], "encode": ["encode", "picture.png", "-o", "x.json", "-y"],
            "reconstruct": ["reconstruct", "picture.png", "-o", "x.png", "-y"], "describe": ["describe", "picture.png"],
            "ask": ["ask", "picture.png", "Is it a fox?"], "chat": ["chat", "picture.png"], "info": ["info", "picture.png"],
            "inspect": ["inspect"], "tokenize": ["tokenize", "a fox"], "devices": ["devices"], "doctor": ["doctor"],
            "models": ["models"], "verify files": ["verify"],
            "completion": ["completion", "bash"], "batch": ["batch", "few.txt", "-o", "out", "--fresh"],
            "dry-run": ["batch", "many.txt", "-o", "out", "--dry-run"],
            "strict": ["batch", "few.txt", "-o", "out", "--strict", "--fresh"],
            "verify": ["batch", "few.txt", "-o", "verified", "--resume", "verify"],
            "grid": ["grid", "a fox", "-x", "cfg=1,2", "-o", "g.png", "--overwrite"], "gallery": ["gallery", "batch"],
            "merge": ["merge", "batch"], "check": ["merge", "--check", "batch"],
        }
        long = {
            "generate many": ["a fox", "-c", "3000", "-o", "many/", "-y"], "batch many": ["batch", "many.txt", "-o", "many2"],
            "best-of": ["batch", "many.txt", "-o", "many3", "--best-of", "4"],
            "decode many": ["decode", "records.json", "-o", "many4/"],
            "describe many": ["describe", *pictures],
            "grid many": ["grid", "a fox", "-x", "seed=1..100", "-y", "cfg=1,2,3,4,5,6", "-o", "g.png",
                          "--overwrite"],
            "bench": ["bench", "--repeats", "1000"],
            "check big": ["merge", "--check", "big"], "merge big": ["merge", "big", "-o", "merged"],
        }
        waiting = {"chat waiting": ["chat"], "batch waiting": ["batch", "-", "--format", "txt", "-o", "piped"],
                   "prompts waiting": ["batch", "-", "--format", "txt", "-o", "piped", "--strict"],
                   "decode waiting": ["decode", "-", "-o", "x.png", "-y"]}
        return {**{name: (words, False, False) for name, words in short.items()},
                **{name: (words, True, False) for name, words in long.items()},
                **{name: (words, True, True) for name, words in waiting.items()}}

    def start(self, words: list[str], waits: bool) -> subprocess.Popen:
        return subprocess.Popen([self.program, *words], cwd=self.scratch, env=self.environment,
                                stdin=subprocess.PIPE if waits else subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    @staticmethod
    def catches(process: subprocess.Popen) -> bool:
        """Waits until SIGTERM is caught. Returns False if the process ended before."""
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return False
            caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
            if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                return True
        return False

    def stop(self, name: str, delay: float, signals: list[int], expected: set[int]) -> None:
        took = []
        while len(took) < TRIES and (not took or took[-1] > LONGEST):
            seconds = self.stop_once(name, delay, signals, expected)
            if seconds is None:
                return
            took.append(seconds)
        if took[-1] > LONGEST:
            self.wrong.append(f"{name}: ended {min(took):.1f} s after the signal at the soonest, sent {delay:.3f} s "
                              "after it began")

    def stop_once(self, name: str, delay: float, signals: list[int], expected: set[int]) -> float | None:
        """Seconds from the signal to the end; None when it was the wrong end."""
        words, _, waits = self.commands()[name]
        process = self.start(words, waits)
        self.runs += 1
        sent = None
        if self.catches(process):
            time.sleep(delay)
            for each in signals:
                if process.poll() is None:
                    process.send_signal(each)
                    sent = sent or time.monotonic()
        try:
            code = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
        took = time.monotonic() - sent if sent else 0
        said = process.stderr.read().decode(errors="replace")
        process.stderr.close()
        if waits:
            process.stdin.close()
        process.wait()
        if code not in expected:
            self.wrong.append(f"{name}: ended with {code} {delay:.3f} s after it began, {said.strip()[-200:]!r}")
            return None
        return took

    def everything(self, moments: int, only: str) -> None:
        for name, (_, is_long, _) in self.commands().items():
            if only not in ("", name):
                continue
            self.stop(name, 0, [signal.SIGTERM], {75} if is_long else {0, 75})
            for _ in range(moments):
                each = self.random.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
                self.stop(name, self.random.uniform(0, 0.5), [each], {75} if is_long else {0, 75})
        # Hashing a file does not check the stop flag, so the second signal arrives while it hashes.
        if only in ("", "twice"):
            self.stop("check big", 0.2, [signal.SIGINT, signal.SIGINT], {75, 130})


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--moments", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bifrons-stops-"))
    stops = Stops(str(pathlib.Path(arguments.program).resolve()), str(pathlib.Path(arguments.model).resolve()),
                  scratch, arguments.seed)
    try:
        stops.prepare()
        stops.everything(arguments.moments, arguments.only)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for each in stops.wrong[:40]:
        print(each)
    print(f"{stops.runs} commands stopped, {len(stops.wrong)} of them wrong")
    return 1 if stops.wrong or stops.runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
