#!/usr/bin/env python3
"""Makes a JSON file and a Markdown table from the measurements of run.sh.

usage: report.py machine ROOT DEVICE            the machine as JSON, on standard output
       report.py stage NAME OUTCOME SECONDS NOTE [FILE]    one stage as JSON, on standard output
       report.py write FOLDER RESULTS           merges the run in FOLDER into RESULTS/<gpu>-<date>.{json,md}
       report.py merge FILE... -o NAME          merges result files into NAME.json and NAME.md
       report.py same MACHINE MACHINE           whether parts of the first belong to the second: exit 0 or 1
       report.py ran FILE                       fails if a GoogleTest report has no test that ran
"""
import json
import os
import pathlib
import re
import sys

import collect
from shapes import SHAPES

STAGES = ("build", "first", "pdl-laws", "bench-1b", "vq", "bench-7b", "probe", "ops", "laws", "goldens", "memcheck", "speculate",
          "no-pdl-7b", "no-pdl-1b", "bandwidth", "peers-1b", "peers-7b", "racecheck", "initcheck", "synccheck")
PICTURES = (1, 4, 16, 64)
EAGER = "transformers generate"


# ---- numbers -------------------------------------------------------------------------------------------------------


def bench_of(run, shape, pdl=True):
    """The report of `bifrons bench` for a shape; pdl=False: without programmatic dependent launch
    (PDL)."""
    for part in run["stages"].values():
        if "bench" in part and part["bench"].get("model", "").startswith(shape) and part["stage"] not in ("vq", "speculate") \
                and part["stage"].startswith("no-pdl") != pdl:
            return part["bench"]
    return {}


def peers_of(run, shape):
    for part in run["stages"].values():
        if part.get("peers", {}).get("shape") == shape:
            return part["peers"]
    return {}


def bandwidth(run):
    """Bytes per second: the best pure read of all processes of the run, which gives the strictest
    floor."""
    seen = [part["bench"].get("read_gigabytes_per_second", 0) * 1e9 for part in run["stages"].values() if "bench" in part]
    seen += [part[kind]["bandwidth"]["read"] for part in run["stages"].values() for kind in ("peers", "bandwidth") if kind in part]
    return max(seen, default=0)


def row(bench, pattern):
    """The first row of a `bifrons bench` report whose name matches, and the match."""
    for line in bench.get("rows", []):
        if match := re.match(pattern, line["name"]):
            return line, match
    return None, None


def prompt_of(run, shape):
    return peers_of(run, shape).get("prompt", 64)


def ours(run, shape, pictures, pdl=True):
    """Our seconds for `pictures` at once, from prompts to codes, and milliseconds per step; None if
    they were not drawn."""
    bench = bench_of(run, shape, pdl)
    whole, _ = row(bench, rf"{pictures} pictures?( at once)?$")
    step, _ = row(bench, rf"drawing step, {pictures} pictures?$")
    if not whole:
        return None
    return {"seconds": whole["milliseconds"] / 1e3,
            "step_milliseconds": step["milliseconds"] if step else whole["milliseconds"] / SHAPES[shape].steps}


def left_out(run, shape, pictures):
    """Why `pictures` at once were not drawn, in a few words, if it was reported."""
    noted = [note for note in bench_of(run, shape).get("skipped", []) if re.match(rf"{pictures} pictures?:", note)]
    return noted[0].partition(": ")[2].partition(":")[0] if noted else ""


def floor(run, shape, pictures):
    speed = bandwidth(run)
    return SHAPES[shape].floor_seconds(pictures, prompt_of(run, shape), speed) if speed else None


def peer_cells(run, shape, pictures):
    return [cell for cell in peers_of(run, shape).get("cells", []) if cell["pictures"] == pictures]


def decode_row(run, pictures=1):
    """The row of a pass of the VQ decoder with so many pictures."""
    name = r"VQ decode \d+x\d+" + ("$" if pictures == 1 else rf", {pictures} in a pass$")
    for part in run["stages"].values():
        line, _ = row(part.get("bench", {}), name)
        if line:
            return line
    return None


def decode_milliseconds(run):
    """Our milliseconds for the pixels of a picture alone."""
    line = decode_row(run)
    return line["milliseconds"] if line else None


# ---- words ---------------------------------------------------------------------------------------------------------


def line_of(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(head, lines):
    return [line_of(head), "|" + "---|" * len(head), *(line_of(line) for line in lines), ""]


def checks(run):
    lines = []
    for name in (*STAGES, *sorted(set(run["stages"]) - set(STAGES))):
        part = run["stages"].get(name)
        if part:
            tests = part.get("tests")
            cases = ", ".join(f"{tests[outcome]} {outcome}" for outcome in ("passed", "skipped", "failed")) if tests else ""
            lines.append((name, part["status"], cases, f"{part['seconds']:.0f} s", part["note"]))
        else:
            lines.append((name, "not run", "", "", ""))
    return ["## Checks", "", *table(("stage", "outcome", "cases", "time", "note"), lines)]


def cell_of(seconds, step, least, mine=None):
    words = [f"{seconds:.3g} s"]
    if step:
        words.append(f"{step:.3g} ms a step")
    if least:
        words.append(f"{seconds / least:.2f} x floor")
    if mine:
        words.append(f"{seconds / mine:.1f} x ours")
    return ", ".join(words)


def drawing(run, shape):
    """The table of a shape: drawing by us and by the peers, for all numbers of pictures at once."""
    if not bench_of(run, shape) and not peers_of(run, shape):
        return []
    floors = {n: floor(run, shape, n) for n in PICTURES}
    mine = {n: ours(run, shape, n) for n in PICTURES}
    lines = [["floor", *(f"{floors[n]:.3g} s" if floors[n] else "" for n in PICTURES)]]
    lines.append(["**Bifrons**", *(cell_of(m["seconds"], m["step_milliseconds"], floors[n]) if (m := mine[n])
                                   else left_out(run, shape, n) for n in PICTURES)])
    lines.append(["Bifrons, pictures a second", *(f"{n / m['seconds']:.3g}" if (m := mine[n]) else "" for n in PICTURES)])
    if bench_of(run, shape, pdl=False):
        without_pdl = {n: ours(run, shape, n, pdl=False) for n in PICTURES}
        lines.append(["Bifrons, without PDL", *(cell_of(m["seconds"], m["step_milliseconds"], floors[n]) if (m := without_pdl[n])
                                                else "" for n in PICTURES)])
    names = list(dict.fromkeys(cell["peer"] for cell in peers_of(run, shape).get("cells", [])))
    for name in names:
        line, memory = [name], []
        for n in PICTURES:
            found = [cell for cell in peer_cells(run, shape, n) if cell["peer"] == name]
            cell = found[0] if found else {"skipped": "not run"}
            if "batch_seconds" in cell:
                line.append(cell_of(cell["batch_seconds"], cell["step_milliseconds"], floors[n],
                                    mine[n]["seconds"] if mine[n] else None))
                memory.append(f"{cell['peak_gigabytes']:.1f} GB" if cell.get("peak_gigabytes") else "")
            else:
                line.append(cell.get("skipped", "cut short"))
                memory.append("")
        lines += [line, [f"{name}, memory", *memory]] if any(memory) else [line]
    about = f"Codes of all pictures at once, {prompt_of(run, shape)}-token prompt, guidance on, bf16 weights and cache, pixels " \
            f"not counted; floor: bytes over {bandwidth(run) / 1e9:.0f} GB/s."
    return [f"## Drawing, {shape}", "", about, "",
            *table(["", *(f"{n} picture{'s' if n > 1 else ''}" for n in PICTURES)], lines)]


def decoding(run):
    lines = [["Bifrons, one after another", f"{value:.3g} ms"]] if (value := decode_milliseconds(run)) else []
    for shape in SHAPES:
        for cell in peers_of(run, shape).get("decode", []):
            if "milliseconds" in cell:
                lines.append([f"{cell['peer']}, {cell['pictures']} at once ({shape})", f"{cell['milliseconds']:.3g} ms"])
    return ["## Pixels", "", *table(("visual tokenizer's decoder", "a picture"), lines)] if lines else []


def probed(run):
    rows = run["stages"].get("probe", {}).get("probe", {}).get("rows", [])
    lines = [(row["name"], f"{row['value']:.4g} {row['unit']}".strip()) for row in rows]
    return ["## Probe", "", *table(("what", "measured"), lines)] if lines else []


def targets(run):
    """Targets and measurements: (name, target, measured, whether it was reached)."""
    found = []

    def ratio(shape, pictures):
        mine, least = ours(run, shape, pictures), floor(run, shape, pictures)
        return mine["seconds"] / least if mine and least else None

    for shape, most in (("janus-pro-1b", 1.35), ("janus-pro-7b", 1.12)):
        # Nothing is faster than the floor. A ratio below 1 means an error in the count, and the
        # target is not reached.
        if value := ratio(shape, 1):
            found.append((f"{shape}, one picture", f"at most {most} x floor", f"{value:.2f} x", 1 <= value <= most))
        if value := ratio(shape, 64):
            found.append((f"{shape}, 64 pictures", "at least 65 % of the floor's pictures/s", f"{100 / value:.0f} %",
                          1 <= value <= 1 / 0.65))
    if value := decode_milliseconds(run):
        found.append(("VQ decode, one after another", "at most 2.5 ms a picture", f"{value:.2f} ms", value <= 2.5))
    if line := decode_row(run, 4):
        value, same = line["milliseconds"] / 4, line.get("same_bits", False)
        found.append(("VQ decode, 4 in a pass", "at most 2 ms a picture, with the bits of each alone",
                      f"{value:.2f} ms, {'the same' if same else 'other'} bits", same and value <= 2))
    for shape in ("janus-pro-1b", "janus-pro-7b"):
        for pictures in PICTURES:
            mine = ours(run, shape, pictures)
            cells = [cell for cell in peer_cells(run, shape, pictures) if "batch_seconds" in cell] if mine else []
            if cells:
                best = min(cells, key=lambda cell: cell["batch_seconds"])
                value = best["batch_seconds"] / mine["seconds"]
                found.append((f"{shape}, {pictures} at once", "faster than every peer",
                              f"{value:.2f} x the fastest, {best['peer']}", value > 1))
            eager = [cell for cell in cells if cell["peer"] == EAGER]
            if eager and shape == "janus-pro-7b" and pictures == 1:
                value = eager[0]["batch_seconds"] / mine["seconds"]
                found.append((f"{shape}, one picture", f"at least 6 x faster than {EAGER}", f"{value:.1f} x", value >= 6))
    return found


def markdown(run):
    about, gpu = run["machine"], run["machine"].get("gpu", {})
    versions = {(p["torch"], p["transformers"]) for s in SHAPES if (p := peers_of(run, s))}
    facts = [f"commit {about.get('commit') or 'unknown'}", f"driver {gpu['driver']}" if gpu else "no GPU",
             f"CUDA {about['cuda']}" if about.get("cuda") else "", about.get("compiler", ""),
             *(f"PyTorch {torch}, transformers {library}" for torch, library in sorted(versions)),
             f"{gpu['memory_megabytes']} MB" if gpu else ""]
    out = [f"# {gpu.get('name', about['device'])}, {about['date']}", "", ", ".join(fact for fact in facts if fact) + ".", ""]
    out += checks(run)
    for shape in SHAPES:
        out += drawing(run, shape)
    out += decoding(run)
    out += probed(run)
    wanted = [(what, want, got, "yes" if holds else "**no**") for what, want, got, holds in targets(run)]
    if wanted:
        out += ["## Wanted", "", *table(("what", "wanted", "measured", "holds"), wanted)]
    return "\n".join(out).rstrip() + "\n"


# ---- files ---------------------------------------------------------------------------------------------------------


def save(run, stem):
    """Writes both files, each of them atomically."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((f"{stem}.json", json.dumps(run, indent=1) + "\n"), (f"{stem}.md", markdown(run))):
        part = pathlib.Path(f"{path}.part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)


def write(folder, results):
    run = collect.read_run(folder)
    stem = pathlib.Path(results) / f"{collect.name_of(run['machine'])}-{run['machine']['date']}"
    before = pathlib.Path(f"{stem}.json")
    if before.exists():
        earlier = json.loads(before.read_text())
        if earlier["machine"].get("commit") == run["machine"].get("commit"):
            run = collect.merge(earlier, run)
    save(run, stem)
    return stem


def main(arguments):
    match arguments:
        case ["machine", root, device]:
            print(json.dumps(collect.machine(pathlib.Path(root), device), indent=1))
        case ["stage", name, status, seconds, note, *file]:
            print(json.dumps(collect.stage(name, status, float(seconds), note, file[0] if file else None), indent=1))
        case ["write", folder, results]:
            print(f"{write(folder, results)}.md")
        case ["merge", *files, "-o", stem] if files:
            save(collect.merge(*(json.loads(pathlib.Path(file).read_text()) for file in files)), pathlib.Path(stem))
        case ["same", before, now]:
            return 0 if collect.same(pathlib.Path(before), pathlib.Path(now)) else 1
        case ["ran", file]:
            if not collect.counts(json.loads(pathlib.Path(file).read_text()))["passed"]:
                raise ValueError("no case ran: was this built with CUDA, and does the driver fit?")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.exit(f"report.py: {error}")
