"""A drawing model of the Janus family in plain PyTorch, with the parameter names of the original
checkpoints.

It is written from the description of the model, not from another implementation. Agreement with
transformers is therefore meaningful. It has the drawing part and the VQ encoder, but not the
understanding part (vision_model, aligner). Everything is computed in the dtype of the weights, with
the rounding points of the reference: each operation rounds its result; norms and softmax compute in
float32.
"""
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Shape:
    """Sizes of a model; the defaults are those of the original code."""
    hidden: int = 4096
    intermediate: int = 11008
    layers: int = 32
    heads: int = 32
    kv_heads: int = 32
    head_dim: int = 128
    vocabulary: int = 102400
    max_positions: int = 2048
    norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    codebook: int = 16384
    code_dim: int = 8
    latent_channels: int = 256
    base_channels: int = 128
    encoder_multipliers: tuple = (1, 1, 2, 2, 4)
    decoder_multipliers: tuple = (1, 1, 2, 2, 4)
    res_blocks: int = 2
    grid: int = 24
    image_token_embed: int = 4096

    @property
    def image_size(self):
        return self.grid * 2 ** (len(self.decoder_multipliers) - 1)


# ---- language model -------------------------------------------------------------------------------------------------


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        scale = torch.rsqrt((wide * wide).mean(-1, keepdim=True) + self.eps)
        return self.weight * (wide * scale).to(x.dtype)  # rounded before the multiplication


def rope_tables(shape, positions, dtype, rounded_frequencies):
    """cos and sin [positions, head_dim / 2]. `rounded_frequencies` rounds the inverse frequencies
    to bf16, as casting the whole original model to bf16 does."""
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
    frequencies = 1.0 / (shape.rope_theta ** exponents)
    if rounded_frequencies:
        frequencies = frequencies.bfloat16().float()
    angles = positions.float()[:, None] * frequencies[None, :]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x, cos, sin):
    """x [rows, heads, positions, head_dim]; component i is paired with i + head_dim / 2."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class SelfAttention(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.shape = s
        self.q_proj = nn.Linear(s.hidden, s.heads * s.head_dim, bias=False)
        self.k_proj = nn.Linear(s.hidden, s.kv_heads * s.head_dim, bias=False)
        self.v_proj = nn.Linear(s.hidden, s.kv_heads * s.head_dim, bias=False)
        self.o_proj = nn.Linear(s.heads * s.head_dim, s.hidden, bias=False)

    def forward(self, x, cos, sin, cache):
        s = self.shape
        rows, new, _ = x.shape
        split = lambda t, heads: t.view(rows, new, heads, s.head_dim).transpose(1, 2)
        q = rotate(split(self.q_proj(x), s.heads), cos, sin)
        k = rotate(split(self.k_proj(x), s.kv_heads), cos, sin)
        v = split(self.v_proj(x), s.kv_heads)
        if "k" in cache:
            k, v = torch.cat([cache["k"], k], dim=2), torch.cat([cache["v"], v], dim=2)
        cache["k"], cache["v"] = k, v
        group = s.heads // s.kv_heads  # query head h uses key head h // group
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        scores = (q @ k.transpose(2, 3)) * s.head_dim ** -0.5
        total = k.shape[2]
        visible = torch.arange(total)[None, :] <= torch.arange(total - new, total)[:, None]
        weights = scores.float().masked_fill(~visible, float("-inf")).softmax(-1).to(x.dtype)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(rows, new, s.heads * s.head_dim))


class Mlp(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.gate_proj = nn.Linear(s.hidden, s.intermediate, bias=False)
        self.up_proj = nn.Linear(s.hidden, s.intermediate, bias=False)
        self.down_proj = nn.Linear(s.intermediate, s.hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.self_attn = SelfAttention(s)
        self.mlp = Mlp(s)
        self.input_layernorm = RmsNorm(s.hidden, s.norm_eps)
        self.post_attention_layernorm = RmsNorm(s.hidden, s.norm_eps)

    def forward(self, x, cos, sin, cache):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.shape = s
        self.embed_tokens = nn.Embedding(s.vocabulary, s.hidden)
        self.layers = nn.ModuleList(DecoderLayer(s) for _ in range(s.layers))
        self.norm = RmsNorm(s.hidden, s.norm_eps)

    def forward(self, x, start, caches, rounded_frequencies=False):
        """x [rows, new, hidden] at positions start, start + 1, ...; returns the normed hidden
        states."""
        positions = torch.arange(start, start + x.shape[1])
        cos, sin = rope_tables(self.shape, positions, x.dtype, rounded_frequencies)
        for layer, cache in zip(self.layers, caches):
            x = layer(x, cos, sin, cache)
        return self.norm(x)


class LanguageModel(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.model = Decoder(s)
        self.lm_head = nn.Linear(s.hidden, s.vocabulary, bias=False)


class GenHead(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.output_mlp_projector = nn.Linear(s.hidden, s.image_token_embed)
        self.vision_head = nn.Linear(s.image_token_embed, s.codebook)

    def forward(self, x):
        return self.vision_head(F.gelu(self.output_mlp_projector(x)))


class GenAligner(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(s.code_dim, s.hidden), nn.GELU(), nn.Linear(s.hidden, s.hidden))

    def forward(self, x):
        return self.layers(x)


# ---- visual tokenizer -----------------------------------------------------------------------------------------------


def group_norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


def swish(x):
    return x * torch.sigmoid(x)


class Res(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = group_norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        y = self.conv2(swish(self.norm2(self.conv1(swish(self.norm1(x))))))
        return y + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    """One head over all channels; the tokens are the pixels."""

    def __init__(self, channels):
        super().__init__()
        self.norm = group_norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (conv(h).flatten(2).transpose(1, 2) for conv in (self.q, self.k, self.v))
        weights = ((q @ k.transpose(1, 2)) * x.shape[1] ** -0.5).softmax(-1)
        return x + self.proj_out((weights @ v).transpose(1, 2).reshape(x.shape))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))  # zeros only on the right and at the bottom


class Level(nn.Module):
    """One resolution: residual blocks, each followed by attention if `attends`, then possibly a
    change of resolution."""

    def __init__(self, inputs, outputs, blocks, attends, resize_name=None, resize=None):
        super().__init__()
        self.res = nn.ModuleList(Res(inputs if i == 0 else outputs, outputs) for i in range(blocks))
        self.attn = nn.ModuleList(Attention(outputs) for _ in range(blocks if attends else 0))
        self.resize_name = resize_name
        if resize_name:
            setattr(self, resize_name, resize(outputs))

    def forward(self, x):
        for i, res in enumerate(self.res):
            x = res(x)
            if len(self.attn) > 0:
                x = self.attn[i](x)
        return getattr(self, self.resize_name)(x) if self.resize_name else x


def middle(channels):
    return nn.Sequential(Res(channels, channels), Attention(channels), Res(channels, channels))


class VqEncoder(nn.Module):
    def __init__(self, s):
        super().__init__()
        multipliers = s.encoder_multipliers
        channels, last = s.base_channels, len(multipliers) - 1
        self.conv_in = nn.Conv2d(3, channels, 3, padding=1)
        self.conv_blocks = nn.ModuleList()
        for i, multiplier in enumerate(multipliers):  # highest resolution first
            outputs = s.base_channels * multiplier
            name = "downsample" if i != last else None
            self.conv_blocks.append(Level(channels, outputs, s.res_blocks, i == last, name, Downsample))
            channels = outputs
        self.mid = middle(channels)
        self.norm_out = group_norm(channels)
        self.conv_out = nn.Conv2d(channels, s.latent_channels, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for level in self.conv_blocks:
            x = level(x)
        return self.conv_out(swish(self.norm_out(self.mid(x))))


class VqDecoder(nn.Module):
    def __init__(self, s):
        super().__init__()
        multipliers = s.decoder_multipliers
        channels, last = s.base_channels * multipliers[-1], len(multipliers) - 1
        self.conv_in = nn.Conv2d(s.latent_channels, channels, 3, padding=1)
        self.mid = middle(channels)
        self.conv_blocks = nn.ModuleList()
        for i, multiplier in enumerate(reversed(multipliers)):  # lowest resolution first
            outputs = s.base_channels * multiplier
            name = "upsample" if i != last else None
            self.conv_blocks.append(Level(channels, outputs, s.res_blocks + 1, i == 0, name, Upsample))
            channels = outputs
        self.norm_out = group_norm(channels)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x):
        x = self.mid(self.conv_in(x))
        for level in self.conv_blocks:
            x = level(x)
        return self.conv_out(swish(self.norm_out(x)))


def unit_rows(x):
    """Each vector of the last dimension divided by its length."""
    return x / x.norm(dim=-1, keepdim=True).clamp_min(1e-12)


class Quantizer(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.embedding = nn.Embedding(s.codebook, s.code_dim)

    def gather(self, codes):
        """[images, grid, grid] codes to [images, code_dim, grid, grid]."""
        return unit_rows(self.embedding.weight)[codes].permute(0, 3, 1, 2)

    def nearest(self, z):
        """[images, code_dim, grid, grid] to codes [images, grid * grid], and squared distances to
        all codes [images, grid * grid, codebook]. Both sides are normalised; among equals the
        lowest index wins."""
        z = unit_rows(z.permute(0, 2, 3, 1).flatten(1, 2))
        e = unit_rows(self.embedding.weight)
        distances = (z * z).sum(-1, keepdim=True) + (e * e).sum(-1) - 2 * z @ e.t()
        return distances.argmin(-1), distances


class VqModel(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.grid = s.grid
        self.encoder = VqEncoder(s)
        self.decoder = VqDecoder(s)
        self.quantize = Quantizer(s)
        self.quant_conv = nn.Conv2d(s.latent_channels, s.code_dim, 1)
        self.post_quant_conv = nn.Conv2d(s.code_dim, s.latent_channels, 1)

    def decode_code(self, codes):
        """[images, grid * grid] codes in raster order to [images, side, side, 3], nominally in [-1,
        1]."""
        z = self.quantize.gather(codes.view(-1, self.grid, self.grid))
        return self.decoder(self.post_quant_conv(z)).permute(0, 2, 3, 1)

    def latents(self, pixels):
        """[images, side, side, 3] in [-1, 1] to [images, code_dim, grid, grid]."""
        return self.quant_conv(self.encoder(pixels.permute(0, 3, 1, 2)))


def to_pixels(x):
    """Decoder output to bytes: clipped, then truncated towards zero."""
    return ((x.float() + 1) / 2 * 255).clip(0, 255).to(torch.uint8)


# ---- drawing --------------------------------------------------------------------------------------------------------


class OriginalForm(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.shape = s
        self.gen_vision_model = VqModel(s)
        self.gen_aligner = GenAligner(s)
        self.gen_head = GenHead(s)
        self.gen_embed = nn.Embedding(s.codebook, s.code_dim)
        self.language_model = LanguageModel(s)

    @torch.no_grad()
    def draw(self, prompted, unprompted, weight=5.0, forced=None, rounded_frequencies=False):
        """Draws a picture greedily from two rows of ids of equal length, or follows the codes
        `forced`.

        Returns the codes [grid * grid], the logits of the head [grid * grid, 2, codebook]
        (conditional, unconditional) and the guided logits [grid * grid, codebook]. Logits are in
        the dtype of the model.
        """
        decoder = self.language_model.model
        caches = [{} for _ in decoder.layers]
        x = decoder.embed_tokens(torch.tensor([prompted, unprompted]))
        position, codes, logits, guided = 0, [], [], []
        for step in range(self.shape.grid ** 2):
            hidden = decoder(x, position, caches, rounded_frequencies)
            position += x.shape[1]
            rows = self.gen_head(hidden[:, -1])
            cond, uncond = rows[0::2], rows[1::2]
            mixed = uncond + weight * (cond - uncond)
            code = mixed.argmax(-1) if forced is None else torch.tensor([forced[step]])
            codes.append(code)
            logits.append(rows)
            guided.append(mixed[0])
            x = self.gen_aligner(self.gen_embed(code.repeat_interleave(2)))[:, None, :]
        return torch.cat(codes), torch.stack(logits), torch.stack(guided)
