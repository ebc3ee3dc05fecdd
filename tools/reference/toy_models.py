"""The toy models: sizes, random weights, and the files they are saved in."""
import json
import math
import re
from collections import OrderedDict
from dataclasses import dataclass

import torch
from safetensors.torch import load_file, save_file

import hugging_face_form
from original_form import OriginalForm, Shape

PROMPTS = ["a red cat on the hill", "Zwölf Füchse, 12 hats"]


@dataclass
class ToyModel:
    name: str
    about: str
    shape: Shape
    vision: dict          # vision tower; image_size and patch_size only if not those of drawing
    dtype: torch.dtype    # of the files
    form: str             # original | hugging_face: names in the files
    container: str        # safetensors | bin
    shard_bytes: int      # 0: a single file
    absent: tuple         # prefixes of tensors that the files lack
    seed: int
    omitted: tuple = ()   # fields left out of language_config: equal to library defaults


ENCODER = ("gen_vision_model.encoder.", "gen_vision_model.quant_conv.")

MODELS = [
    ToyModel("toy-f32", "float32, one resolution, language_config filled with defaults",
             Shape(hidden=24, intermediate=56, layers=2, heads=3, kv_heads=3, head_dim=8, vocabulary=307,
                   codebook=61, code_dim=8, latent_channels=4, base_channels=32, encoder_multipliers=(1,),
                   decoder_multipliers=(1,), res_blocks=1, grid=4, image_token_embed=24),
             {"width": 8, "layers": 1, "heads": 2}, torch.float32, "original", "safetensors", 0, ENCODER, 49,
             ("num_key_value_heads", "rms_norm_eps", "rope_theta", "head_dim", "max_position_embeddings")),
    ToyModel("toy-hf", "bf16, Hugging Face names and configuration, complete with the encoder",
             Shape(hidden=16, intermediate=40, layers=3, heads=2, kv_heads=2, head_dim=8, vocabulary=307,
                   codebook=61, code_dim=8, latent_channels=4, base_channels=32, encoder_multipliers=(1, 1),
                   decoder_multipliers=(1, 1), res_blocks=1, grid=4, image_token_embed=16),
             {"width": 8, "layers": 1, "heads": 2}, torch.bfloat16, "hugging_face", "safetensors", 200_000, (), 39),
    ToyModel("grouped-query", "float16, six layers, two heads a key head, head_dim apart from hidden / heads, a channel "
             "change (shortcut) and groups of two channels in the decoder",
             Shape(hidden=40, intermediate=56, layers=6, heads=4, kv_heads=2, head_dim=12, vocabulary=307,
                   max_positions=128, norm_eps=1e-5, rope_theta=5000.0, codebook=53, code_dim=8, latent_channels=6,
                   base_channels=32, encoder_multipliers=(2, 1), decoder_multipliers=(2, 1), res_blocks=1, grid=5,
                   image_token_embed=40),
             {"width": 8, "layers": 1, "heads": 2}, torch.float16, "original", "bin", 400_000, ENCODER, 25),
    ToyModel("wide-head", "bf16, a gen_head wider than hidden, codes of four components, one resolution",
             Shape(hidden=16, intermediate=24, layers=1, heads=2, kv_heads=2, head_dim=8, vocabulary=307,
                   codebook=37, code_dim=4, latent_channels=6, base_channels=32, encoder_multipliers=(1,),
                   decoder_multipliers=(1,), res_blocks=1, grid=3, image_token_embed=28),
             {"width": 8, "layers": 1, "heads": 2}, torch.bfloat16, "original", "bin", 0, ENCODER, 64),
    ToyModel("toy-sees", "bf16, a tower of three layers whose pictures are larger than the drawn ones",
             Shape(hidden=24, intermediate=40, layers=2, heads=3, kv_heads=3, head_dim=8, vocabulary=307,
                   codebook=61, code_dim=8, latent_channels=4, base_channels=32, encoder_multipliers=(1,),
                   decoder_multipliers=(1,), res_blocks=1, grid=4, image_token_embed=24),
             {"width": 24, "layers": 3, "heads": 3, "image_size": 32, "patch_size": 8}, torch.bfloat16, "original",
             "safetensors", 0, ENCODER, 2),
]


def vision_sizes(toy):
    """All sizes of the vision tower."""
    own = {"image_size": toy.shape.image_size, "patch_size": toy.shape.image_size // toy.shape.grid}
    return own | toy.vision


def vision_shapes(toy):
    """Names and shapes of the understanding part, which checkpoints have but drawing does not
    use."""
    sizes = vision_sizes(toy)
    width, hidden, patch = sizes["width"], toy.shape.hidden, sizes["patch_size"]
    tokens = (sizes["image_size"] // patch) ** 2
    shapes = {"pos_embed": [1, tokens, width], "attn_pool.latent": [1, 1, width]}

    def add(name, *shape):
        shapes[name + ".weight"], shapes[name + ".bias"] = list(shape), list(shape[:1])

    add("patch_embed.proj", width, 3, patch, patch)
    for i in range(toy.vision["layers"]):
        add(f"blocks.{i}.norm1", width)
        add(f"blocks.{i}.norm2", width)
        add(f"blocks.{i}.attn.qkv", 3 * width, width)
        add(f"blocks.{i}.attn.proj", width, width)
        add(f"blocks.{i}.mlp.fc1", 4 * width, width)
        add(f"blocks.{i}.mlp.fc2", width, 4 * width)
    add("norm", width)
    add("attn_pool.q", width, width)
    add("attn_pool.kv", 2 * width, width)
    add("attn_pool.proj", width, width)
    add("attn_pool.norm", width)
    add("attn_pool.mlp.fc1", 4 * width, width)
    add("attn_pool.mlp.fc2", width, 4 * width)
    shapes = {"vision_model.vision_tower." + name: shape for name, shape in shapes.items()}
    return shapes | {"aligner.layers.0.weight": [hidden, width], "aligner.layers.0.bias": [hidden],
                     "aligner.layers.2.weight": [hidden, hidden], "aligner.layers.2.bias": [hidden]}


def random_tensor(name, shape, generator):
    """Scales keep activations near one and spread the logits, so greedy drawing is neither constant
    nor a near tie."""
    normal = torch.randn(shape, generator=generator)
    if name.endswith(".codebook_used"):
        return torch.zeros(shape)
    if "embed" in name and "patch_embed" not in name:  # rows of tables
        return normal
    if len(shape) == 1:
        return (1 + 0.2 * normal) if name.endswith("weight") else 0.1 * normal
    gain = 1.0
    if "gen_head" in name or "gen_aligner" in name:
        gain = 2.5
    if "q_proj" in name or "k_proj" in name:
        gain = 1.7
    if name == "gen_vision_model.decoder.conv_out.weight":
        gain = 0.8
    return gain / math.sqrt(math.prod(shape[1:])) * normal


def random_weights(toy):
    """Original names to tensors in the dtype of the files, including those in `absent`."""
    with torch.device("meta"):
        shapes = {name: list(tensor.shape) for name, tensor in OriginalForm(toy.shape).state_dict().items()}
    shapes |= vision_shapes(toy) | {"gen_vision_model.quantize.codebook_used": [64]}
    generator = torch.Generator().manual_seed(toy.seed)
    return OrderedDict((name, random_tensor(name, shapes[name], generator).to(toy.dtype)) for name in sorted(shapes))


def original_form(toy, weights, dtype):
    """OriginalForm with these weights, computing in `dtype`."""
    used = {name: tensor for name, tensor in weights.items()
            if not name.startswith(("vision_model.", "aligner.")) and not name.endswith(".codebook_used")}
    model = OriginalForm(toy.shape).eval()
    model.load_state_dict(used, strict=True)
    return model.to(dtype)


def original_config(toy):
    s = toy.shape
    projector = lambda kind, inputs: {"cls": "MlpProjector", "model_type": kind, "params": {
        "depth": 2, "input_dim": inputs, "n_embed": s.hidden, "projector_type": "mlp_gelu"}}
    language = {
        "model_type": "llama", "hidden_size": s.hidden, "intermediate_size": s.intermediate,
        "num_hidden_layers": s.layers, "num_attention_heads": s.heads, "num_key_value_heads": s.kv_heads,
        "head_dim": s.head_dim, "vocab_size": s.vocabulary, "max_position_embeddings": s.max_positions,
        "rms_norm_eps": s.norm_eps, "rope_theta": s.rope_theta, "torch_dtype": dtype_name(toy.dtype)}
    for field in toy.omitted:
        del language[field]
    return {
        "model_type": "multi_modality", "architectures": ["MultiModalityCausalLM"],
        "torch_dtype": dtype_name(toy.dtype), "transformers_version": "4.33.1",
        "aligner_config": projector("aligner", toy.vision["width"]),
        "gen_aligner_config": projector("gen_aligner", s.code_dim),
        "gen_head_config": {"cls": "vision_head", "model_type": "gen_head", "params": {
            "image_token_embed": s.image_token_embed, "image_token_size": s.codebook, "n_embed": s.hidden}},
        "gen_vision_config": {"cls": "VQ-16", "model_type": "gen_vision", "params": {
            "image_token_size": s.codebook, "n_embed": s.code_dim, "ch": s.base_channels,
            "encoder_ch_mult": list(s.encoder_multipliers), "decoder_ch_mult": list(s.decoder_multipliers),
            "num_res_blocks": s.res_blocks, "z_channels": s.latent_channels, "image_size": s.image_size}},
        "vision_config": {"cls": "CLIPVisionTower", "model_type": "vision", "params": {
            "model_name": "siglip_toy", "select_feature": "same", "select_layer": -1, "mlp_ratio": 4,
            **vision_sizes(toy)}},
        "language_config": language}


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def shards(weights, limit):
    """Consecutive groups of tensors of at most `limit` bytes each; one group if `limit` is 0."""
    groups, size = [OrderedDict()], 0
    for name, tensor in weights.items():
        bytes_ = tensor.numel() * tensor.element_size()
        if limit and groups[-1] and size + bytes_ > limit:
            groups.append(OrderedDict())
            size = 0
        groups[-1][name] = tensor
        size += bytes_
    return groups


def write_json(path, value):
    text = json.dumps(value, ensure_ascii=False, indent=2)
    one_line = lambda numbers: "[" + ", ".join(numbers[1].split()).replace(",,", ",") + "]"
    path.write_text(re.sub(r"\[([-\d.,\s]+)\]", one_line, text) + "\n")


def published(toy, weights):
    """The tensors in the files, with the names in the files."""
    kept = OrderedDict((name, tensor) for name, tensor in weights.items() if not name.startswith(toy.absent or "\0"))
    return kept if toy.form == "original" else OrderedDict(sorted(hugging_face_form.from_original(kept).items()))


def save(toy, weights, directory, special):
    """Writes the model directory: configuration and weights, in the layout of the published
    repositories."""
    kept = published(toy, weights)
    if toy.form == "hugging_face":
        config = hugging_face_form.config(toy.shape, vision_sizes(toy), special)
        config.dtype = toy.dtype
        config.save_pretrained(directory)
        write_json(directory / "generation_config.json", {
            "bos_token_id": special["bos"], "eos_token_id": special["eos"], "guidance_scale": 5,
            "pad_token_id": special["pad"], "generation_kwargs": {"boi_token_id": special["begin_of_image"]}})
    else:
        write_json(directory / "config.json", original_config(toy))
    stem, suffix = ("model", "safetensors") if toy.container == "safetensors" else ("pytorch_model", "bin")
    groups = shards(kept, toy.shard_bytes)
    names = [f"{stem}.{suffix}"] if len(groups) == 1 else [
        f"{stem}-{i + 1:05}-of-{len(groups):05}.{suffix}" for i in range(len(groups))]
    for name, group in zip(names, groups):
        if suffix == "bin":
            torch.save(group, directory / name)
        else:
            save_file({key: tensor.contiguous() for key, tensor in group.items()}, directory / name, {"format": "pt"})
    if len(groups) > 1:
        write_json(directory / f"{stem}.{suffix}.index.json", {
            "metadata": {"total_size": sum(t.numel() * t.element_size() for t in kept.values())},
            "weight_map": {key: name for name, group in zip(names, groups) for key in group}})


def read_back(toy, weights, directory):
    """Checks that the libraries read from the files exactly what should be written."""
    found = {}
    for path in directory.glob("*." + toy.container):
        found |= torch.load(path, weights_only=True) if toy.container == "bin" else load_file(path)
    wanted = published(toy, weights)
    if found.keys() != wanted.keys() or not all(torch.equal(found[name], wanted[name]) for name in wanted):
        raise ValueError(f"{directory}: the files do not hold the weights of {toy.name}")
