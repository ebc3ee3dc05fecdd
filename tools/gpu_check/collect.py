"""Data of a run: the machine, the outcome and the numbers of each stage, and both combined as one
JSON."""
import datetime
import json
import pathlib
import platform
import re
import subprocess

OUTCOMES = ("passed", "failed", "timed out", "skipped")


def output_of(*command):
    """Standard output of a command; empty if it does not exist or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def gpu_state(query=output_of):
    """Name, driver and clocks of the GPU; empty without a GPU. Only reads, never changes
    settings."""
    fields = {"name": "name", "driver": "driver_version", "memory_megabytes": "memory.total", "sm_megahertz": "clocks.sm",
              "memory_megahertz": "clocks.mem", "watts": "power.draw", "degrees": "temperature.gpu"}
    lines = query("nvidia-smi", f"--query-gpu={','.join(fields.values())}", "--format=csv,noheader,nounits").splitlines()
    values = [value.strip() for value in lines[0].split(",")] if lines else []
    return dict(zip(fields, values)) if len(values) == len(fields) else {}


def commit_of(root):
    """The commit: a packed folder has it in a file, a checkout is asked."""
    packed = root / "PACKED"
    if packed.exists():
        return packed.read_text().split()[0]
    commit = output_of("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    return commit + ("+changes" if commit and output_of("git", "-C", str(root), "status", "--porcelain") else "")


def machine(root, device):
    gpu = gpu_state() if device != "cpu" else {}
    cuda = re.search(r"release ([\d.]+)", output_of("nvcc", "--version"))
    return {"schema": 1, "date": datetime.date.today().isoformat(), "commit": commit_of(root), "device": device,
            "gpu": gpu, "cuda": cuda.group(1) if cuda else "", "compiler": output_of("c++", "--version").split("\n")[0],
            "system": platform.platform()}


def same(before, now):
    """Whether results of an earlier call are of the same commit and device. A copy without git
    cannot tell."""
    if not before.exists():
        return False
    before, now = (json.loads(path.read_text()) for path in (before, now))
    return bool(now.get("commit")) and all(before.get(key) == now.get(key) for key in ("commit", "device"))


def name_of(about):
    """First part of the names of the result files: h200, h100-80gb-hbm3, cpu."""
    name = about["gpu"].get("name", about["device"]).lower().replace("nvidia", "")
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "gpu"


def counts(document):
    """Numbers of passed, failed and skipped tests in a GoogleTest report."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in document.get("testsuites", []):
        for case in suite.get("testsuite", []):
            if case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                total["skipped"] += 1
            else:
                total["failed" if case.get("failures") else "passed"] += 1
    return total


def stage(name, status, seconds, note="", result=None):
    """The record of a stage. `result` is the path of its output: a JSON of GoogleTest, `bifrons
    bench` or peers.py."""
    if status not in OUTCOMES:
        raise ValueError(f"no outcome {status}")
    part = {"stage": name, "status": status, "seconds": seconds, "note": note}
    path = pathlib.Path(result) if result else None
    if path and path.exists():
        try:
            document = json.loads(path.read_text())
        except ValueError:
            return part | {"note": (note + "; " if note else "") + f"{path.name} is not whole"}
        if "testsuites" in document:
            part["tests"] = counts(document)
        elif document.get("kind") in ("peers", "bandwidth", "probe"):
            part[document["kind"]] = document
        else:
            part["bench"] = document
    return part


def merge(*runs):
    """Merges runs of one machine and commit. Later runs take precedence, but a stage that was
    skipped or not reached never hides an earlier result."""
    whole = {"schema": 1, "machine": {}, "stages": {}}
    for run in runs:
        for key in ("commit", "device"):
            before, now = whole["machine"].get(key), run["machine"].get(key)
            if before and now and before != now:
                raise ValueError(f"runs of {key} {before} and {now} do not belong in one table")
        if (a := whole["machine"].get("gpu", {}).get("name")) and a != (b := run["machine"].get("gpu", {}).get("name")):
            raise ValueError(f"runs on {a} and {b} do not belong in one table")
        whole["machine"] |= run["machine"]
        for name, part in run["stages"].items():
            if part["status"] != "skipped" or name not in whole["stages"]:
                whole["stages"][name] = part
    return whole


def read_run(folder):
    """Reads a run from the folder that run.sh keeps: machine.json and parts/."""
    folder = pathlib.Path(folder)
    parts = [json.loads(path.read_text()) for path in sorted((folder / "parts").glob("*.json"))]
    return {"schema": 1, "machine": json.loads((folder / "machine.json").read_text()),
            "stages": {part["stage"]: part for part in parts}}
