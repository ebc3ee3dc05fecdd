"""Writes the files of tests/golden/torch with the real torch.save, and the expected result of
reading them.

Usage: python tools/reference/make_torch_files.py tests/golden/torch

Element i of each tensor, in the order of its shape, is ((i % 200) - 100) * 0.25. That is exact in
f32, bf16 and f16, so the test needs no table of values.
"""

import collections
import json
import pathlib
import sys

import torch


def ramp(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    values = (torch.arange(count) % 200 - 100) * 0.25
    return values.to(dtype).reshape(shape)


def mixed_state():
    """One tensor of each kind that a checkpoint may have."""
    state = collections.OrderedDict()
    state["plain.bf16"] = ramp(5, 7, dtype=torch.bfloat16)
    state["plain.f16"] = ramp(3, 4, dtype=torch.float16)
    state["plain.f32"] = ramp(11)
    state["scalar.f32"] = ramp(1).reshape(())
    state["conv.weight"] = ramp(4, 3, 3, 2, dtype=torch.bfloat16).to(
        memory_format=torch.channels_last
    )
    state["transposed.weight"] = ramp(6, 5).t().contiguous().t()
    state["one_by_one.weight"] = ramp(4, 3, 1, 1).to(memory_format=torch.channels_last)
    shared = torch.cat([torch.full((13,), 99.0), ramp(24), torch.full((5,), 99.0)])
    state["shared.first"] = shared[13:37].view(4, 6)
    state["shared.again"] = shared[13:25]
    state["tied.a"] = ramp(2, 3, dtype=torch.bfloat16)
    state["tied.b"] = state["tied.a"]
    state["empty.f32"] = ramp(0, 4)
    state["statistic.i64"] = torch.arange(9)
    state["flag.bool"] = torch.tensor([True, False])
    state["requires.grad"] = ramp(3).requires_grad_(True).detach()
    state._metadata = collections.OrderedDict({"": {"version": 1}, "conv": {"version": 1}})
    return state


def describe(state, files):
    """name -> [torch dtype, shape, file], as JSON."""
    return {
        name: [str(t.dtype).removeprefix("torch."), list(t.shape), files[name]]
        for name, t in state.items()
    }


def main():
    directory = pathlib.Path(sys.argv[1])
    single = directory / "single"
    sharded = directory / "sharded"
    for path in (single, sharded):
        path.mkdir(parents=True, exist_ok=True)

    state = mixed_state()
    torch.save(state, single / "pytorch_model.bin")
    table = describe(state, dict.fromkeys(state, "pytorch_model.bin"))
    (single / "expected.json").write_text(json.dumps(table, indent=1) + "\n")

    # Sharded checkpoints are plain dicts. 100 tensors need more than the 256 short memo indices.
    many = {f"layer.{i}.weight": ramp(2, 2, dtype=torch.bfloat16) for i in range(100)}
    many["norm.weight"] = ramp(8)
    shards = {name: 1 + (i >= 90) for i, name in enumerate(many)}
    files = {name: f"pytorch_model-{s:05}-of-00002.bin" for name, s in shards.items()}
    for shard in sorted(set(files.values())):
        torch.save({n: t for n, t in many.items() if files[n] == shard}, sharded / shard)
    index = {"metadata": {"total_size": sum(t.nbytes for t in many.values())}, "weight_map": files}
    (sharded / "pytorch_model.bin.index.json").write_text(json.dumps(index) + "\n")


if __name__ == "__main__":
    main()
