#!/usr/bin/env python3
"""Counts what drawing costs on a GPU, from the shapes of the models and the plans of the kernels: bytes, FLOPs and
launches; and estimates times from them with the cost model of kernels/cuda/gemm_plan.h.

    tools/count_cuda.py                         prints the tables of docs/performance.md
    tools/count_cuda.py --check FILE            fails unless FILE has them, word for word

Nothing here was measured on a card. Counts are exact. Times are estimates for an H200: each table says which bound gives
them. The tiles and constants are read from kernels/cuda/gemm_plan.h, the shapes from tools/gpu_check/shapes.py.
"""
import argparse
import pathlib
import re
import sys
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "gpu_check"))
from shapes import SHAPES  # noqa: E402

PROMPT = 64  # tokens, as in `bifrons bench`
BANDWIDTH = 4300.0  # reads from memory, bytes a nanosecond
# From one kernel to the next, nanoseconds: in a stream; in a graph; in a graph with programmatic dependent launch. Lowest
# and highest of published measurements of Hopper; tools/gpu_check/probe.cu measures them.
STREAM, GRAPH, PDL = (2000, 3500), (1300, 2300), (600, 1000)
ATTENTION_LATENCY = (4000, 5000)  # a layer of two rows: a chain of loads that depend on each other
ATTENTION_SHARE = (0.85, 0.75)  # part of the bandwidth that attention of many rows reaches
NORM = 2000  # rms_norm of 128 rows
WARP_CHUNK = 2300  # instructions of a warp for a chunk of 128 keys of one row and head
CLOCK, CHUNK, WARPS = 1.755, 128, 4  # GHz; keys of a chunk; warps of a block of attention
LEAST_SHARED = 227 << 10  # shared memory that a block may have on an H200


def ceil_div(a, b):
    return -(-a // b)


# --- kernels/cuda/gemm_plan.h and gemm_operands.h, in Python ---


@dataclass(frozen=True)
class Tile:
    down: int
    across: int
    vectors: int
    stages: int
    steps: int
    resident: int

    @property
    def rows(self):
        return self.down * 2 * 16

    @property
    def columns(self):
        return self.across * self.vectors * 8

    @property
    def result_bytes(self):
        return self.rows * self.columns * 4

    def shared_bytes(self, totals):
        stage = self.steps * 32 * 2 * (self.rows + self.columns)
        return self.stages * stage + (self.result_bytes if totals else 0)

    @property
    def step_traffic(self):
        return 32 * 2 * (self.rows + self.columns + self.across * self.rows + self.down * self.columns)


def read_plan():
    text = (ROOT / "kernels/cuda/gemm_plan.h").read_text()
    tiles = re.search(r"kGemmTiles = \{\s*\{(.*?)\}\};", text, re.S).group(1)
    constants = {name: float(value) for name, value in re.findall(r"\b(k\w+) = (\d+)\b", text)}
    return [Tile(*map(int, one.split(","))) for one in re.findall(r"\{([\d, ]+)\}", tiles + "}")], constants


TILES, MODEL = read_plan()
SMS = int(MODEL["kMultiprocessors"])
GROUPS = 4


def slice_groups(k):
    steps = ceil_div(k, 32)
    count = 16 if steps >= 64 else 8 if steps >= 16 else 4 if steps >= 4 else 1
    return count // (1 if count < GROUPS else count // GROUPS)


@dataclass(frozen=True)
class Plan:
    tile: int
    split: bool
    blocks: int
    time: float  # nanoseconds


def plan_time(tile, split, m, n, k, batch):
    is_ = TILES[tile]
    tiles = ceil_div(n, is_.columns) * ceil_div(m, is_.rows)
    blocks = batch * tiles * (GROUPS if split else 1)
    share = ceil_div(k, GROUPS) if split else k
    of_a = share * 2 * min(m, is_.rows)
    read = of_a + share * 2 * min(n, is_.columns)
    in_turn, together = ceil_div(blocks, SMS), ceil_div(blocks, SMS * is_.resident)
    in_flight = (is_.stages - 1) * is_.steps * is_.rows * 32 * 2
    parts = 2 * is_.result_bytes if split else 0
    step = max(is_.step_traffic / MODEL["kSharedMemory"], is_.rows * is_.columns * 32 / MODEL["kMultiplyAdds"])
    time = max(blocks * (read + parts) / SMS / MODEL["kShareOfL2"], in_turn * (read + parts) / MODEL["kMostOfL2"],
               in_turn * share / 32 * step, together * of_a / in_flight * MODEL["kAnswer"])
    return Plan(tile, split, blocks, time + together * MODEL["kBlock"] + (MODEL["kMeeting"] if split else 0))


def plan_gemm(m, n, k, may_split, batch=1):
    """C [m, n] = A [m, k] B [n, k]^T; the order of choices is that of plan_gemm() in C++."""
    groups = slice_groups(k) > 1
    best = plan_time(0, False, m, n, k, batch)
    for tile, is_ in enumerate(TILES):
        for split in (False, True):
            parts = GROUPS * ceil_div(n, is_.columns) * ceil_div(m, is_.rows) * is_.result_bytes
            if split and not (may_split and batch == 1 and groups and parts <= 16 << 20):
                continue
            if is_.shared_bytes(groups and not split) > LEAST_SHARED - 1024:
                continue
            plan = plan_time(tile, split, m, n, k, batch)
            if plan.time < best.time:
                best = plan
    return best


# --- drawing ---


def products(shape):
    """Linear layers of a decoder layer: name, outputs, inputs, whether split-K is possible (not with a pair epilogue)."""
    d, f = shape.hidden, shape.intermediate
    return (("q, k and v", 3 * d, d, False), ("attention's output", d, d, True), ("gate and up", 2 * f, d, False),
            ("down", d, f, True))


def launches(shape, rows):
    """Kernels of a step: five a layer; above 16 rows two norms more; gather, head, guidance and sampling, codes."""
    few = rows <= 16
    return (5 if few else 7) * shape.layers + (5 if few else 7)


def span(low, high, digits=2):
    return f"{low:.{digits}f}" if f"{low:.{digits}f}" == f"{high:.{digits}f}" else f"{low:.{digits}f} to {high:.{digits}f}"


def mean_context(shape):
    return PROMPT + (shape.steps - 1) / 2


def one_picture(name):
    shape = SHAPES[name]
    cache = 2 * mean_context(shape) * shape.cache_bytes()
    floor = (shape.step_weight_bytes() + cache) / BANDWIDTH / 1e6
    kernels = launches(shape, 2)
    # Attention waits for its own loads; what it must read anyway is part of the floor.
    waits = [(each - cache / shape.layers / BANDWIDTH) * shape.layers / 1e6 for each in ATTENTION_LATENCY]
    rows = [f"| weights, bytes a step | {shape.step_weight_bytes() / 1e9:.3f} GB | count |",
            f"| keys and values, mean context {mean_context(shape):.0f}, 2 rows | {cache / 1e9:.3f} GB | count |",
            f"| floor: both at {BANDWIDTH / 1000:.1f} TB/s | {floor:.3f} ms | count |",
            f"| kernels | {kernels} | count |",
            f"| attention's latency beyond its bytes | {span(*waits)} ms | estimate |"]
    for words, gap in (("in a graph", GRAPH), ("in a graph with PDL", PDL)):
        each = [floor + wait + kernels * g / 1e6 for wait, g in zip(waits, gap)]
        rows.append(f"| **step {words}**, {gap[0] / 1000:.1f} to {gap[1] / 1000:.1f} us between kernels | "
                    f"{span(*each)} ms, {span(*(x / floor for x in each))} x the floor | estimate |")
    return [f"| one picture, {name} | | |", "|---|---|---|", *rows]


def many_pictures(name, pictures=64):
    shape, n = SHAPES[name], 2 * pictures
    cache = n * mean_context(shape) * shape.cache_bytes()
    floor = (shape.step_weight_bytes() + cache) / BANDWIDTH / 1e6
    rows, total = [], 0.0
    for what, m, k, split in products(shape):
        plan = plan_gemm(m, n, k, split)
        is_ = TILES[plan.tile]
        bound = 2 * m * k / BANDWIDTH
        time = max(plan.time, bound)
        total += time * shape.layers / 1e6
        rows.append(f"| {what}, {m} x {k} | {plan.blocks} of {is_.rows} x {is_.columns}{', split-K' if plan.split else ''} | "
                    f"{2 * m * n * k / 1e9:.1f} | {time / 1000:.1f} us | {bound / 1000:.1f} us |")
    head = sum(max(plan_gemm(m, n, shape.hidden, True).time, 2 * m * shape.hidden / BANDWIDTH)
               for m in (shape.hidden, shape.codebook)) / 1e6
    reading = [cache / BANDWIDTH / share / 1e6 for share in ATTENTION_SHARE]
    chunks = n * shape.heads * mean_context(shape) / CHUNK * shape.layers
    issue = chunks * WARPS * WARP_CHUNK / (SMS * 4) / CLOCK / 1e6
    attention = [max(each, issue) for each in reading]
    kernels, norms = launches(shape, n), (2 * shape.layers + 1) * NORM / 1e6
    gaps = [kernels * each / 1e6 for each in PDL]
    step = [total + head + a + norms + g for a, g in zip(attention, gaps)]
    rows += [f"| {shape.layers} layers, head | | | {total + head:.2f} ms | {shape.step_weight_bytes() / BANDWIDTH / 1e6:.2f} ms |",
             f"| attention, {cache / 1e9:.1f} GB; its instructions take {issue:.2f} ms | | | {span(*attention)} ms | "
             f"{cache / BANDWIDTH / 1e6:.2f} ms |",
             f"| {2 * shape.layers + 1} norms | | | {norms:.2f} ms | |",
             f"| {kernels} kernels with PDL | | | {span(*gaps)} ms | |",
             f"| **step** | | | {span(*step)} ms: {100 * floor / step[1]:.0f} to {100 * floor / step[0]:.0f} % of the floor | "
             f"{floor:.2f} ms |"]
    return [f"| {pictures} pictures, {name} | blocks | GFLOP | estimate | floor |", "|---|---|---|---|---|", *rows]


# --- the VQ decoder ---


@dataclass(frozen=True)
class Layer:
    kind: str  # convolution, norm, upsampling, product, attention
    side: int
    inputs: int
    outputs: int
    kernel: int = 1
    residual: bool = False


def vq_layers(shape):
    """The ops of vision/networks/vq_decoder.cpp, in their order."""
    side, layers = shape.grid, []
    channels = shape.base_channels * shape.multipliers[-1]

    def residual_block(inputs, outputs):
        layers.extend((Layer("norm", side, inputs, inputs), Layer("convolution", side, inputs, outputs, 3),
                       Layer("norm", side, outputs, outputs)))
        if inputs != outputs:
            layers.append(Layer("convolution", side, inputs, outputs))
        layers.append(Layer("convolution", side, outputs, outputs, 3, True))

    def attention_block():
        layers.extend((Layer("norm", side, channels, channels), Layer("product", side, channels, 3 * channels),
                       Layer("attention", side, channels, channels), Layer("product", side, channels, channels, residual=True)))

    layers.append(Layer("product", side, shape.code_dim, shape.latent_channels))
    layers.append(Layer("convolution", side, shape.latent_channels, channels, 3))
    residual_block(channels, channels)
    attention_block()
    residual_block(channels, channels)
    for level, multiplier in enumerate(reversed(shape.multipliers)):
        inputs, channels = channels, shape.base_channels * multiplier
        for block in range(3):
            residual_block(inputs if block == 0 else channels, channels)
            if level == 0:
                attention_block()
        if level + 1 < len(shape.multipliers):
            layers.append(Layer("upsampling", side, channels, channels))
            side *= 2
            layers.append(Layer("convolution", side, channels, channels, 3))
    layers.append(Layer("norm", side, channels, channels))
    layers.append(Layer("convolution", side, channels, 3, 3))
    return layers


def library_time(each, columns, pictures, share):
    """A convolution of a library with tiles of 128 x 128 that reaches `share` of mma.sync's rate on full rounds of blocks."""
    blocks = ceil_div(each.outputs, 128) * ceil_div(columns * pictures, 128)
    step = 128 * 128 * 32 / MODEL["kMultiplyAdds"] / share
    return ceil_div(blocks, SMS) * ceil_div(each.inputs * each.kernel ** 2, 32) * step


def vq_kernels(shape, pictures, share=None):
    """The kernels of a pass: kind, FLOPs, bytes of maps and weights, estimated nanoseconds without launching. `share`:
    convolutions by a library; else by our own kernels."""
    for each in vq_layers(shape):
        cells = each.side * each.side
        into, out = 2 * cells * each.inputs * pictures, 2 * cells * each.outputs * pictures
        if each.kind in ("convolution", "product"):
            k = each.inputs * each.kernel ** 2
            columns, batch = (cells, pictures) if each.kind == "convolution" else (cells * pictures, 1)
            moved = into + out * (2 if each.residual else 1) + 2 * each.outputs * k
            time = plan_gemm(each.outputs, columns, k, each.kind == "product", batch).time
            if each.kind == "convolution" and share and each.outputs % 8 == 0:
                time = library_time(each, cells, pictures, share)
            yield each.kind, 2 * cells * pictures * each.outputs * k, moved, max(time, moved / BANDWIDTH)
        elif each.kind == "attention":
            scores = 2 * cells * cells * pictures
            for n, k in ((cells, each.inputs), (each.inputs, cells)):
                time = plan_gemm(n, cells, k, False, pictures).time
                yield each.kind, 2 * cells * cells * each.inputs * pictures, 2 * into + scores, time
            for moved in (2 * into, 2 * scores):  # the transposed values, the softmax
                yield each.kind, 0, moved, moved / BANDWIDTH
        elif each.kind == "norm":
            for moved in (into, into + out):  # statistics, values
                yield each.kind, 0, moved, moved / BANDWIDTH
        else:
            yield each.kind, 0, into + 4 * out, (into + 4 * out) / BANDWIDTH
    size = shape.image_size * shape.image_size
    yield "codes and pixels", 0, 2 * shape.steps * shape.code_dim * pictures, 0
    yield "codes and pixels", 0, 9 * size * pictures, 9 * size * pictures / BANDWIDTH


# Part of the rate of mma.sync that a library's convolution reaches, best and worst case.
LIBRARY = (0.85, 0.6)


def vq_milliseconds(pictures, gap, share=None):
    """Of a picture. A kernel takes its time or the time to launch the next one, whichever is longer."""
    return sum(max(time, gap) for *_, time in vq_kernels(SHAPES["janus-pro-1b"], pictures, share)) / pictures / 1e6


def vq_table():
    counts = {}
    for kind, flops, moved, _ in vq_kernels(SHAPES["janus-pro-1b"], 1):
        for name in (kind, "all"):
            old = counts.get(name, (0, 0, 0))
            counts[name] = (old[0] + 1, old[1] + flops, old[2] + moved)
    counts["all"] = counts.pop("all")
    return ["| a pass of one picture | launches | GFLOP | MB of maps and weights |", "|---|---|---|---|",
            *(f"| {kind} | {n} | {flops / 1e9:.1f} | {moved / 1e6:.0f} |" for kind, (n, flops, moved) in counts.items())]


def vq_times():
    kernels = len(list(vq_kernels(SHAPES["janus-pro-1b"], 1)))
    lines = ["| pictures in a pass | launches a picture | blocks of a 512 x 512 convolution of 24 x 24 | own kernels, ms a picture | "
             "cuDNN, ms a picture |", "|---|---|---|---|---|"]
    for pictures in (1, 2, 3, 4):
        plan = plan_gemm(512, 576, 512 * 9, False, pictures)
        is_ = TILES[plan.tile]
        own = [vq_milliseconds(pictures, gap) for gap in STREAM]
        library = [vq_milliseconds(pictures, gap, share) for gap, share in zip(STREAM, LIBRARY)]
        lines.append(f"| {pictures} | {kernels / pictures:.0f} | {plan.blocks} of {is_.rows} x {is_.columns} on {SMS} | "
                     f"{span(*own)} | {span(*library)} |")
    return lines


def norm_table():
    """Above 16 rows: RMSNorm as a kernel of its own against RMSNorm as a part of the products, per layer."""
    lines = ["| a layer, 128 rows | 1B | 7B |", "|---|---|---|"]
    cells = {}
    for name in ("janus-pro-1b", "janus-pro-7b"):
        shape = SHAPES[name]
        blocks = [plan_gemm(m, 128, k, split).blocks for what, m, k, split in products(shape) if what in ("q, k and v", "gate and up")]
        columns = 128 * shape.hidden * 2
        l2 = SMS * MODEL["kShareOfL2"]
        cells[name] = {
            "blocks of both products that follow a norm": f"{blocks[0]} + {blocks[1]}",
            "bytes of x that a block reads for the sums of squares": f"{columns / 2 ** 20:.1f} MB",
            "that from L2, all blocks": f"{sum(blocks) * columns / 1e6:.0f} MB, {sum(blocks) * columns / l2 / 1000:.0f} us",
            "instructions of a warp to normalise a block's columns (8 warps, 3 an element of a lane)":
                f"{128 * shape.hidden * 3 // (8 * 32)}, twice",
            "these, on four schedulers": f"{2 * 2 * 128 * shape.hidden * 3 / (8 * 32) / CLOCK / 1000:.0f} us",
            "two kernels of their own, and their boundaries with PDL": span(*(2 * (NORM + g) / 1000 for g in PDL), 1) + " us",
            "the last block of the product before does the norm: 2 x its bytes by one multiprocessor, twice":
                f"{2 * 2 * columns / MODEL['kMostOfL2'] / 1000:.0f} us"}
    for what in cells["janus-pro-1b"]:
        lines.append(f"| {what} | {cells['janus-pro-1b'][what]} | {cells['janus-pro-7b'][what]} |")
    return lines


def tables():
    return ["\n".join(lines) + "\n" for lines in (
        one_picture("janus-pro-7b"), one_picture("janus-pro-1b"), many_pictures("janus-pro-7b"), many_pictures("janus-pro-1b"),
        norm_table(), vq_table(), vq_times())]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="FILE", type=pathlib.Path, help="a page that must have these tables")
    options = parser.parse_args()
    if options.check is None:
        print("\n".join(tables()), end="")
        return 0
    page = options.check.read_text()
    missing = [table for table in tables() if table not in page]
    for table in missing:
        print(f"count_cuda.py: {options.check} should have this table:\n{table}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
