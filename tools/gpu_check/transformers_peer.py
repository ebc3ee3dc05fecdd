"""Janus of transformers with random weights of a published shape, drawn by its own `generate`,
plain or compiled."""
import logging

import torch
import transformers
from transformers import (JanusConfig, JanusForConditionalGeneration, JanusVisionConfig, JanusVQVAEConfig,
                          LlamaConfig, StaticCache)

transformers.logging.set_verbosity_error()
logging.getLogger("transformers").setLevel(logging.ERROR)


def special_ids(shape):
    """Ids that the text of the prompt does not use; the published ones are at the end of the
    vocabulary too."""
    names = ("bos", "eos", "pad", "boi", "image")
    return {name: shape.vocabulary - len(names) + i for i, name in enumerate(names)}


def config(shape):
    ids = special_ids(shape)
    return JanusConfig(
        text_config=LlamaConfig(
            vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.heads,
            head_dim=shape.head_dim, max_position_embeddings=16384, rms_norm_eps=shape.norm_eps,
            rope_parameters={"rope_theta": shape.rope_theta, "rope_type": "default"}, bos_token_id=ids["bos"],
            eos_token_id=ids["eos"], pad_token_id=ids["pad"], tie_word_embeddings=False),
        # Drawing does not use the vision tower, so it has a single narrow layer.
        vision_config=JanusVisionConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=shape.image_size,
            patch_size=shape.image_size // shape.grid, projection_dim=shape.hidden, num_image_tokens=shape.steps),
        vq_config=JanusVQVAEConfig(
            embed_dim=shape.code_dim, num_embeddings=shape.codebook, latent_channels=shape.latent_channels,
            base_channels=shape.base_channels, channel_multiplier=list(shape.multipliers), num_patches=shape.grid,
            projection_dim=shape.hidden, image_token_embed_dim=shape.hidden),
        image_token_id=ids["image"], tie_word_embeddings=False)


def build(shape, device, dtype, seed=1):
    """The model on `device`: weights N(0, 0.02), norms one. Weights are not zero, because zeros run
    faster than real data."""
    with torch.device("meta"):
        model = JanusForConditionalGeneration(config(shape))
    model = model.to(dtype).to_empty(device=device).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
            else:
                weight.normal_(0, 0.02)
    rotary = model.model.language_model.rotary_emb  # to_empty left its buffers undefined
    powers = torch.arange(0, shape.head_dim, 2, device=device).float() / shape.head_dim
    rotary.inv_freq = rotary.original_inv_freq = shape.rope_theta ** -powers
    generation, ids = model.generation_config, special_ids(shape)
    generation.bos_token_id, generation.eos_token_id = ids["bos"], ids["eos"]
    generation.pad_token_id = ids["pad"]
    generation.guidance_scale = 5
    generation.generation_kwargs = {"boi_token_id": ids["boi"]}
    return model


def prompt_ids(shape, length, device):
    """A prompt of `length` tokens, [1, length]: BOS, text, begin of image."""
    ids = special_ids(shape)
    text = [7 * i % ids["bos"] for i in range(1, length - 1)]
    return torch.tensor([[ids["bos"], *text, ids["boi"]]], device=device)


def compile_steps(model):
    """Compiles the language model for steps of one token. Prefill stays eager, as in
    transformers."""
    eager = model.model.language_model.forward
    compiled = torch.compile(eager, mode="reduce-overhead", fullgraph=True)

    def forward(*arguments, inputs_embeds=None, **named):
        run = compiled if inputs_embeds.shape[1] == 1 else eager
        return run(*arguments, inputs_embeds=inputs_embeds, **named)

    model.model.language_model.forward = forward

    def undo():
        model.model.language_model.forward = eager
        torch.compiler.reset()

    return undo


def make_cache(model, prompt, shape):
    """A static cache for a whole picture. It is made once and reused, because compiled steps are
    bound to its addresses."""
    return StaticCache(config=model.config.text_config, max_cache_len=prompt.shape[1] + shape.steps)


@torch.no_grad()
def draw(model, prompt, pictures, steps, cache, sample=True):
    """`steps` codes of `pictures` pictures of one prompt, [pictures, steps], with `generate` of
    transformers. A short run uses the whole cache, so it warms up what a long run needs."""
    cache.reset()
    # `generate` makes a cache itself, and not every release accepts one: 5.17.0 fails when making
    # it, 5.24.0 calls the function differently.
    model._prepare_static_cache = lambda *_, **__: cache
    prompts = prompt.repeat(pictures, 1)
    vision = model.model.vision_model.config
    whole, vision.num_image_tokens = vision.num_image_tokens, steps
    try:
        return model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_mode="image",
                              **({"do_sample": True, "top_k": 0} if sample else {"do_sample": False}))
    finally:
        vision.num_image_tokens = whole


@torch.no_grad()
def decode(model, codes):
    """Codes [n, steps] to values [n, side, side, 3]."""
    return model.decode_image_tokens(codes)
