#!/usr/bin/env python3
"""Times other implementations with random weights of a published shape, and the bandwidth of the
same process.

Peers: `generate` of transformers, the same with compiled steps, and a plain CUDA graph loop in
PyTorch. Each cell draws whole pictures with guidance from one prompt, with bf16 weights and cache;
pixels are timed separately. The file is written after each cell, so an interrupted run keeps its
results.
"""
import argparse
import gc
import json
import os
import statistics
import sys
import time

from shapes import SHAPES

PEERS = ("eager", "graph", "compile")  # compiling takes longest, so it is last
NAMES = {"eager": "transformers generate", "compile": "transformers, compiled steps", "graph": "PyTorch CUDA-graph loop"}
DTYPES = ("bf16", "f32")


def whole_numbers(text):
    values = [int(part) for part in text.split(",")]
    if any(value < 1 for value in values):
        raise argparse.ArgumentTypeError(f"counts are positive, not {text}")
    return values


def chosen_peers(text):
    names = text.split(",")
    if unknown := [name for name in names if name not in (*PEERS, "vq")]:
        raise argparse.ArgumentTypeError(f"no peer {unknown[0]}; there are {', '.join(PEERS)} and vq")
    return names


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="janus-pro-1b")
    parser.add_argument("--peers", type=chosen_peers, default=[*PEERS, "vq"], metavar="LIST",
                        help="of eager, graph, compile, vq (default: all)")
    parser.add_argument("--bandwidth", action="store_true", help="measure the bandwidth alone")
    parser.add_argument("--pictures", type=whole_numbers, default=[1, 64, 16, 4], metavar="LIST",
                        help="pictures at once, in this order (default: 1,64,16,4)")
    parser.add_argument("--prompt", type=int, default=64, metavar="N", help="tokens of the prompt (default: 64)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--repeats", type=int, default=3, metavar="N",
                        help="most timed runs of a cell (default: 3)")
    parser.add_argument("--cell-seconds", type=float, default=15, metavar="S",
                        help="a cell is not repeated beyond this (default: 15)")
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="S",
                        help="no cell is begun after this (default: no limit)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="JSON")
    return parser.parse_args(arguments)


class Machine:
    """Clock and memory of the device."""

    def __init__(self, torch, device):
        self.torch, self.device = torch, device

    def seconds(self, run):
        self.wait()
        start = time.perf_counter()
        run()
        self.wait()
        return time.perf_counter() - start

    def wait(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def forget(self):
        gc.collect()
        if self.device == "cuda":
            self.torch.cuda.empty_cache()
            self.torch.cuda.reset_peak_memory_stats()

    def peak_gigabytes(self):
        return self.torch.cuda.max_memory_allocated() / 1e9 if self.device == "cuda" else None

    def bandwidth(self):
        """Bytes per second of a pure read and of a copy (read plus write); the best of ten."""
        count = 2 ** 30 if self.device == "cuda" else 2 ** 22
        source = self.torch.randn(count, device=self.device, dtype=self.torch.float32)
        target = self.torch.empty_like(source)
        size = source.numel() * source.element_size()
        best = {name: min(self.seconds(run) for _ in range(10))
                for name, run in (("read", source.sum), ("copy", lambda: target.copy_(source)))}
        return {"read": size / best["read"], "copy": 2 * size / best["copy"]}


def timed(machine, options, run, steps):
    """Medians for whole pictures and for one step; prefill with the first code is timed
    separately."""
    first = statistics.median(machine.seconds(lambda: run(1)) for _ in range(3))
    times, start = [], time.perf_counter()
    while not times or (len(times) < options.repeats and
                        time.perf_counter() - start + times[-1] < options.cell_seconds):
        times.append(machine.seconds(lambda: run(steps)))
    batch = statistics.median(times)
    return {"batch_seconds": batch, "fastest_batch_seconds": min(times), "first_code_seconds": first,
            "step_milliseconds": 1e3 * (batch - first) / (steps - 1), "runs": len(times)}


class Peers:
    """The three ways to draw. Each gives a warm function of the number of steps."""

    def __init__(self, machine, options, dtype):
        import transformers_peer
        self.peer, self.shape, self.options, self.machine = transformers_peer, SHAPES[options.shape], options, machine
        self.build = lambda: transformers_peer.build(self.shape, options.device, dtype)
        self.model = self.build()
        self.prompt = transformers_peer.prompt_ids(self.shape, options.prompt, options.device)
        self.layers = None
        self.taken_apart = False  # by the graph loop, which changes the form of the weights

    def eager(self, pictures):
        cache = self.peer.make_cache(self.model, self.prompt, self.shape)
        run = lambda steps: self.peer.draw(self.model, self.prompt, pictures, steps, cache)  # noqa: E731
        run(4)
        return run, lambda: None

    def compile(self, pictures):
        if self.taken_apart:
            self.layers = self.model = None
            self.taken_apart = False
            self.machine.forget()
            self.model = self.build()
        undo = self.peer.compile_steps(self.model)
        try:
            run, _ = self.eager(pictures)
            run(8)  # CUDA graphs are captured in the first steps after compiling
        except BaseException:
            undo()
            raise
        return run, undo

    def graph(self, pictures):
        from graph_loop import GraphLoop
        if self.taken_apart and self.layers is None:
            raise RuntimeError("an earlier loop failed and left no model")
        self.taken_apart = True
        loop = GraphLoop(self.model, self.shape, pictures, self.options.prompt, layers=self.layers)
        self.layers = loop.layers
        unprompted = self.prompt.clone()
        unprompted[:, 1:-1] = self.peer.special_ids(self.shape)["pad"]
        loop.warm_up(self.prompt, unprompted)
        return lambda steps: loop.draw(self.prompt, unprompted, steps), lambda: None


def words_of(error):
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"[:200]


def draw_cells(torch, machine, options, peers, report, save, late):
    for name in (peer for peer in PEERS if peer in options.peers):
        for pictures in options.pictures:
            cell = {"peer": NAMES[name], "pictures": pictures}
            report["cells"].append(cell)
            if late():
                cell["skipped"] = "no time left"
                continue
            machine.forget()
            try:
                run, undo = getattr(peers, name)(pictures)
                try:
                    cell |= timed(machine, options, run, peers.shape.steps)
                    cell["peak_gigabytes"] = machine.peak_gigabytes()
                finally:
                    undo()
                    del run, undo
            except torch.cuda.OutOfMemoryError:
                cell["skipped"] = "out of memory"
            except Exception as error:  # a failing peer is a result and must not stop the others
                cell["skipped"] = words_of(error)
            report["cells"][-1] = cell
            print(f"peers: {cell}", file=sys.stderr)
            save()


def decode_cells(torch, machine, options, peers, report, save, late):
    """The decoder of the visual tokenizer, with the default layout and with channels last."""
    shape = peers.shape
    for layout, form in (("as built", torch.contiguous_format), ("channels last", torch.channels_last)):
        peers.model.model.vqmodel.to(memory_format=form)
        for pictures in sorted(n for n in options.pictures if n <= 16):
            cell = {"peer": f"transformers VQ decoder, {layout}", "pictures": pictures}
            report["decode"].append(cell)
            if late():
                cell["skipped"] = "no time left"
                continue
            machine.forget()
            codes = torch.randint(shape.codebook, (pictures, shape.steps), device=options.device)
            try:
                run = lambda: peers.peer.decode(peers.model, codes)  # noqa: E731
                run()
                cell["milliseconds"] = 1e3 * statistics.median(machine.seconds(run) for _ in range(7)) / pictures
            except torch.OutOfMemoryError:
                cell["skipped"] = "out of memory"
            except Exception as error:
                cell["skipped"] = words_of(error)
            print(f"peers: {cell}", file=sys.stderr)
            save()


def main(arguments):
    options = parse(arguments)
    start = time.monotonic()
    try:
        import torch
        import transformers
    except ImportError as error:
        print(f"peers.py: {error.name} is not installed: the peers need PyTorch and transformers", file=sys.stderr)
        return 69
    if options.device == "cuda" and not torch.cuda.is_available():
        print("peers.py: PyTorch sees no CUDA device; --device cpu --shape tiny tries the script out", file=sys.stderr)
        return 69
    if options.bandwidth:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "kind": "bandwidth", "bandwidth": Machine(torch, options.device).bandwidth()}, file)
        return 0
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[options.dtype]
    machine = Machine(torch, options.device)
    report = {"schema": 1, "kind": "peers", "shape": options.shape, "dtype": options.dtype, "prompt": options.prompt,
              "torch": torch.__version__, "transformers": transformers.__version__,
              "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
              "bandwidth": machine.bandwidth(), "cells": [], "decode": []}

    def save():
        with open(options.output + ".part", "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
        os.replace(options.output + ".part", options.output)

    def late():
        return time.monotonic() - start > options.seconds

    machine.forget()
    peers = Peers(machine, options, dtype)
    if "vq" in options.peers:
        decode_cells(torch, machine, options, peers, report, save, late)
        peers.model.model.vqmodel.to(memory_format=torch.contiguous_format)
    draw_cells(torch, machine, options, peers, report, save, late)
    save()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
