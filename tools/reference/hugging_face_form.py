"""The same models in transformers: renaming, construction, drawing and decoding."""
import logging
import re

import torch
import transformers
from torch import nn
from transformers import (JanusConfig, JanusForConditionalGeneration, JanusVisionConfig, JanusVQVAEConfig,
                          LlamaConfig)

transformers.logging.set_verbosity_error()
logging.getLogger("transformers").setLevel(logging.ERROR)

# (pattern in the original name, replacement), applied in this order.
RENAMES = [
    (r"^language_model\.lm_head\.", "lm_head."),
    (r"^language_model\.model\.", "model.language_model."),
    (r"^vision_model\.vision_tower\.pos_embed$", "model.vision_model.embeddings.position_embedding.weight"),
    (r"^vision_model\.vision_tower\.patch_embed\.proj\.", "model.vision_model.embeddings.patch_embedding."),
    (r"^vision_model\.vision_tower\.norm\.", "model.vision_model.post_layernorm."),
    (r"^vision_model\.vision_tower\.blocks\.(\d+)\.norm(\d)\.", r"model.vision_model.encoder.layers.\1.layer_norm\2."),
    (r"^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.proj\.",
     r"model.vision_model.encoder.layers.\1.self_attn.projection_layer."),
    (r"^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.", r"model.vision_model.encoder.layers.\1.self_attn."),
    (r"^vision_model\.vision_tower\.blocks\.(\d+)\.mlp\.", r"model.vision_model.encoder.layers.\1.mlp."),
    (r"^aligner\.layers\.0\.", "model.aligner.fc1."),
    (r"^aligner\.layers\.2\.", "model.aligner.hidden_layers.0."),
    (r"^gen_aligner\.layers\.0\.", "model.generation_aligner.fc1."),
    (r"^gen_aligner\.layers\.2\.", "model.generation_aligner.hidden_layers.0."),
    (r"^gen_head\.output_mlp_projector\.", "model.generation_head.proj_out."),
    (r"^gen_head\.vision_head\.", "model.generation_head.vision_head."),
    (r"^gen_embed\.", "model.generation_embeddings."),
    (r"^gen_vision_model\.", "model.vqmodel."),
    (r"\.encoder\.conv_blocks\.(\d+)\.res\.", r".encoder.down.\1.block."),
    (r"\.decoder\.conv_blocks\.(\d+)\.res\.", r".decoder.up.\1.block."),
    (r"\.encoder\.conv_blocks\.", ".encoder.down."),
    (r"\.decoder\.conv_blocks\.", ".decoder.up."),
    (r"^(model\.vqmodel\.\w+)\.mid\.0\.", r"\1.mid.block_1."),
    (r"^(model\.vqmodel\.\w+)\.mid\.1\.", r"\1.mid.attn_1."),
    (r"^(model\.vqmodel\.\w+)\.mid\.2\.", r"\1.mid.block_2."),
]


def rename(original):
    for pattern, replacement in RENAMES:
        original = re.sub(pattern, replacement, original)
    return original


def from_original(weights):
    """A state dict with original names to Hugging Face names: merged qkv is split, unused tensors
    are dropped."""
    renamed = {}
    for name, tensor in weights.items():
        if ".attn_pool." in name or name.endswith(".codebook_used"):
            continue
        if ".attn.qkv." in name:
            for part, piece in zip("qkv", tensor.chunk(3, dim=0)):
                renamed[rename(name.replace(".qkv.", f".{part}_proj."))] = piece.clone()
        elif name.endswith(".pos_embed"):
            renamed[rename(name)] = tensor[0].clone()
        else:
            renamed[rename(name)] = tensor
    return renamed


def config(shape, vision, special):
    """`shape` is an original_form.Shape, `vision` has the sizes of the vision tower, `special` the
    ids of special tokens."""
    assert shape.encoder_multipliers == shape.decoder_multipliers
    result = JanusConfig(
        text_config=LlamaConfig(
            vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
            head_dim=shape.head_dim, max_position_embeddings=shape.max_positions, rms_norm_eps=shape.norm_eps,
            rope_parameters={"rope_theta": shape.rope_theta, "rope_type": "default"}, bos_token_id=special["bos"],
            eos_token_id=special["eos"], pad_token_id=special["pad"], tie_word_embeddings=False),
        vision_config=JanusVisionConfig(
            hidden_size=vision["width"], num_hidden_layers=vision["layers"], num_attention_heads=vision["heads"],
            image_size=vision["image_size"], patch_size=vision["patch_size"], projection_dim=shape.hidden,
            num_image_tokens=(vision["image_size"] // vision["patch_size"]) ** 2),
        vq_config=JanusVQVAEConfig(
            embed_dim=shape.code_dim, num_embeddings=shape.codebook, latent_channels=shape.latent_channels,
            base_channels=shape.base_channels, channel_multiplier=list(shape.decoder_multipliers),
            num_res_blocks=shape.res_blocks, num_patches=shape.grid, projection_dim=shape.hidden,
            image_token_embed_dim=shape.hidden),
        image_token_id=special["image_placeholder"], tie_word_embeddings=False)
    result.architectures = ["JanusForConditionalGeneration"]
    return result


def build(shape, vision, special, weights, dtype):
    """The model with the given weights in the original form. Loading is strict, so all names must
    match."""
    model = JanusForConditionalGeneration(config(shape, vision, special)).eval()
    if shape.image_token_embed != shape.hidden:
        # The configuration cannot express this: it has one width for the head and the aligner.
        model.model.generation_head.proj_out = nn.Linear(shape.hidden, shape.image_token_embed)
        model.model.generation_head.vision_head = nn.Linear(shape.image_token_embed, shape.codebook)
    frequencies = model.model.language_model.rotary_emb.inv_freq.clone()
    model.load_state_dict(from_original(weights), strict=True)
    model = model.to(dtype)
    set_frequencies(model, frequencies)  # after the cast: from_pretrained keeps float32
    generation = model.generation_config
    generation.bos_token_id, generation.eos_token_id = special["bos"], special["eos"]
    generation.pad_token_id = special["pad"]
    generation.guidance_scale = 5
    generation.generation_kwargs = {"boi_token_id": special["begin_of_image"]}
    return model


def set_frequencies(model, frequencies):
    rotary = model.model.language_model.rotary_emb
    rotary.inv_freq = frequencies
    rotary.original_inv_freq = frequencies


def round_frequencies(model):
    set_frequencies(model, model.model.language_model.rotary_emb.inv_freq.bfloat16().float())


@torch.no_grad()
def generate(model, prompted):
    """Codes of the greedy image mode of transformers, guidance scale 5."""
    ids = torch.tensor([prompted])
    codes = model.generate(ids, attention_mask=torch.ones_like(ids), generation_mode="image", do_sample=False)
    return codes[0]


@torch.no_grad()
def follow(model, prompted, unprompted, codes):
    """Logits of the image head [len(codes), 2, codebook] when it is given the codes."""
    cache, logits = None, []
    x = model.get_input_embeddings()(torch.tensor([prompted, unprompted]))
    for code in codes:
        out = model.model.language_model(inputs_embeds=x, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        logits.append(model.model.generation_head(out.last_hidden_state[:, -1]))
        x = model.prepare_embeddings_for_image_generation(torch.full((2, 1), int(code)))
    return torch.stack(logits)


@torch.no_grad()
def decode(model, codes):
    return model.decode_image_tokens(codes)


@torch.no_grad()
def latents(model, pixels):
    vq = model.model.vqmodel
    return vq.quant_conv(vq.encoder(pixels.permute(0, 3, 1, 2)))
