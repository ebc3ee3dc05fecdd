"""Writes a model in the layout of MLX's 4-bit directories, and what its packed matrices stand for.

usage: make_mlx_goldens.py OUT_DIR

OUT_DIR/packed is the model directory (without tokenizer: that of toy-f32 fits). In it, NAME.weight
of a quantised layer is U32 [out, in * bits / 32]: element j of a row lies in word j * bits / 32,
the first one in its lowest bits. NAME.scales and NAME.biases are [out, in / group_size], and an
element is q * scale + bias. config.json has "quantization" with bits and group_size, and an object
for a module that differs. A layer is quantised if NAME.scales is there.

OUT_DIR/dequantised.safetensors has the packed matrices as float16: computed in float64, where they
are exact, and rounded once.

Needs numpy. The same version writes the same bytes. Names and most sizes are those of toy-f32
(tests/golden/models); its widths 24 and 56 become 64 and 128, which groups divide.
"""
import json
import pathlib
import struct
import sys

import numpy as np

TOY = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/models/toy-f32"
SEED = 7
QUANTIZATION = {"group_size": 64, "bits": 4, "gen_head.output_mlp_projector": {"group_size": 32, "bits": 8}}
WIDTHS = {24: 64, 56: 128}
NAMES = {np.dtype("float16"): "F16", np.dtype("uint32"): "U32"}


def toy_shapes():
    """Names and shapes of the toy, in its own sizes."""
    with open(TOY / "model.safetensors", "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def shape_of(name, shape):
    return shape if name.startswith("vision_model.") else [WIDTHS.get(n, n) for n in shape]


def random_tensor(name, shape, random):
    """As in toy_models.py: activations stay near one, and the logits are spread."""
    normal = random.standard_normal(shape)
    if "embed" in name and "patch_embed" not in name:
        return normal
    if len(shape) == 1:
        return 1 + 0.2 * normal if name.endswith("weight") else 0.1 * normal
    gain = 2.5 if name.startswith(("gen_head", "gen_aligner")) else 1.0
    return gain / np.sqrt(np.prod(shape[1:])) * normal


def quantise(matrix, bits, group):
    """Words, scales and biases of a float16 matrix: the range of each group in equal steps."""
    out, columns = matrix.shape
    groups = matrix.astype(np.float64).reshape(out, columns // group, group)
    low, high = groups.min(axis=2), groups.max(axis=2)
    scales = ((high - low) / (2**bits - 1)).astype(np.float16)
    # Scales of either sign are allowed: every second group counts down from its largest element.
    down = np.arange(columns // group) % 2 == 1
    scales = np.where(down, -scales, scales).astype(np.float16)
    biases = np.where(down, high, low).astype(np.float16)
    steps = (groups - biases[..., None].astype(np.float64)) / scales[..., None].astype(np.float64)
    q = np.clip(np.round(steps), 0, 2**bits - 1).astype(np.uint64).reshape(out, -1, 32 // bits)
    words = (q << (bits * np.arange(32 // bits, dtype=np.uint64))).sum(axis=2).astype(np.uint32)
    return words, scales, biases


def dequantise(words, scales, biases, bits, group):
    q = (words[..., None] >> (bits * np.arange(32 // bits, dtype=np.uint32))) & (2**bits - 1)
    q = q.reshape(words.shape[0], -1, group).astype(np.float64)
    exact = q * scales[..., None].astype(np.float64) + biases[..., None].astype(np.float64)
    return exact.reshape(words.shape[0], -1).astype(np.float16)


def is_quantised(name, shape):
    """Linear layers and embeddings whose width groups divide."""
    return name.endswith(".weight") and len(shape) == 2 and shape[1] % 64 == 0 and not name.startswith("gen_vision_model.")


def save(tensors, path):
    header, offset = {}, 0
    for name in sorted(tensors):
        size = tensors[name].nbytes
        header[name] = {"dtype": NAMES[tensors[name].dtype], "shape": list(tensors[name].shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            f.write(np.ascontiguousarray(tensors[name]).tobytes())


def config():
    with open(TOY / "config.json") as f:
        text = json.load(f)
    for section in ("aligner_config", "gen_aligner_config", "gen_head_config"):
        text[section]["params"]["n_embed"] = 64
    text["gen_head_config"]["params"]["image_token_embed"] = 64
    text["language_config"] |= {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "torch_dtype": "float16"}
    text["torch_dtype"] = "float16"
    # mlx-lm writes the record a second time under the key that the hub looks for.
    return text | {"quantization": QUANTIZATION, "quantization_config": QUANTIZATION}


def main():
    out = pathlib.Path(sys.argv[1])
    (out / "packed").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    stored, exact = {}, {}
    for name, toy_shape in sorted(toy_shapes().items()):
        shape = shape_of(name, toy_shape)
        tensor = random_tensor(name, shape, random).astype(np.float16)
        if not is_quantised(name, shape):
            stored[name] = tensor
            continue
        module = name.removesuffix(".weight")
        form = QUANTIZATION.get(module, QUANTIZATION)
        packed = quantise(tensor, form["bits"], form["group_size"])
        stored[name], stored[module + ".scales"], stored[module + ".biases"] = packed
        exact[name] = dequantise(*packed, form["bits"], form["group_size"])
    save(stored, out / "packed/model.safetensors")
    save(exact, out / "dequantised.safetensors")
    with open(out / "packed/config.json", "w") as f:
        json.dump(config(), f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
