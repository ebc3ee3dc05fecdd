"""The language model and the image head of the storybook model, with the names of Janus-Pro."""
import dataclasses

import torch
import torch.nn.functional as F
from torch import nn

import tower


@dataclasses.dataclass
class Config:
    vocabulary: int
    codes: int
    width: int = 256
    layers: int = 8
    heads: int = 4
    inner: int = 640
    code_width: int = 64
    positions: int = 64
    prompt: int = 112                          # longest prompt in tokens
    theta: float = 10000.
    epsilon: float = 1e-6


class RMSNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(c.width))
        self.epsilon = c.epsilon

    def forward(self, x):
        h = x.float()
        return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + self.epsilon)).to(x.dtype) * self.weight.to(x.dtype)


def rotary(c, length):
    """cos and sin tables [length, head size]; the two halves are equal."""
    size = c.width // c.heads
    angle = torch.outer(torch.arange(length).float(), c.theta ** (-torch.arange(0, size, 2).float() / size))
    return torch.cat([angle, angle], 1).cos(), torch.cat([angle, angle], 1).sin()


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos.to(x.dtype) + torch.cat([-b, a], -1) * sin.to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            self.add_module(name, nn.Linear(c.width, c.width, bias=False))

    def forward(self, x, cos, sin, mask, cache=None):
        b, t, d = x.shape
        q, k, v = (f(x).view(b, t, self.heads, -1).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        score = (q * q.shape[-1] ** -.5) @ k.transpose(2, 3) + mask.to(q.dtype)
        y = score.softmax(-1, dtype=torch.float32).to(v.dtype) @ v
        return self.o_proj(y.transpose(1, 2).reshape(b, t, d))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.width, c.inner, bias=False)
        self.up_proj = nn.Linear(c.width, c.inner, bias=False)
        self.down_proj = nn.Linear(c.inner, c.width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c), RMSNorm(c)

    def forward(self, x, cos, sin, mask, cache=None):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocabulary, c.width)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RMSNorm(c)

    def forward(self, x, cos, sin, mask, caches=None):
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, caches and caches[i])
        return self.norm(x)


class LanguageModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.model = Llama(c)
        self.lm_head = nn.Linear(c.width, c.vocabulary, bias=False)


class Projector(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x):
        return self.layers(x)


class PictureHead(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.output_mlp_projector = nn.Linear(c.width, c.width)
        self.vision_head = nn.Linear(c.width, c.codes)

    def forward(self, x):
        return self.vision_head(F.gelu(self.output_mlp_projector(x)))


def unguided(text, real, pad):
    """The unconditional rows of guidance: everything between the first and the last real token is a
    pad."""
    inside = real & torch.cat([torch.zeros_like(real[:, :1]), real[:, :-1]], 1)
    inside[:, -1] = False
    return torch.where(inside, pad, text)


class Storybook(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.language_model = LanguageModel(c)
        self.gen_embed = nn.Embedding(c.codes, c.code_width)
        self.gen_aligner = Projector(c.code_width, c.width)
        self.gen_head = PictureHead(c)
        eyes = tower.Config()
        self.vision_model, self.aligner = tower.VisionModel(eyes), Projector(eyes.width, c.width)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=.02 / (2 * c.layers) ** .5 if deep else .02)
        # Words are rare, so one AdamW step moves their rows far. Large rows keep what they learnt.
        nn.init.normal_(self.language_model.model.embed_tokens.weight, std=.5)
        nn.init.normal_(self.gen_aligner.layers[0].weight, std=c.code_width ** -.5)
        nn.init.normal_(self.gen_aligner.layers[2].weight, std=.06)
        nn.init.normal_(self.gen_embed.weight, std=1.)
        for layer in (self.aligner.layers[0], self.aligner.layers[2]):
            nn.init.normal_(layer.weight, std=layer.in_features ** -.5)
        cos, sin = rotary(c, c.prompt + c.positions)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def picture_inputs(self, codes):
        return self.gen_aligner(self.gen_embed(codes))

    def hidden(self, text, real, codes, seen=None):
        """Last hidden states of a row. `text` is left-padded; `real` marks its real positions.

        `seen` [B, 63], if given, says which picture tokens the model may see as inputs.
        """
        width = text.shape[1]
        inputs = self.picture_inputs(codes[:, :-1])
        if seen is not None:
            inputs = inputs * seen[..., None].to(inputs.dtype)
        x = torch.cat([self.language_model.model.embed_tokens(text), inputs], 1)
        length = x.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]      # RoPE depends only on distances
        visible = F.pad(real, (0, length - width), value=True)
        mask = visible[:, None, None] & torch.ones(length, length, dtype=torch.bool).tril()
        mask = torch.zeros(mask.shape).masked_fill(~mask, -1e4)
        return self.language_model.model(x, cos, sin, mask)

    def thought_loss(self, hidden, text, thought):
        """Mean cross-entropy of the text tokens that `thought` [B, W] marks; 0 if there are none."""
        logits = self.language_model.lm_head(hidden[:, :text.shape[1] - 1]).float()
        wanted = torch.where(thought, text, -100)[:, 1:]
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum") / thought.sum().clamp(min=1)

    def loss(self, text, real, thought, codes, seen=None):
        """Mean cross-entropies of all picture tokens and of the thoughts."""
        hidden = self.hidden(text, real, codes, seen)
        logits = self.gen_head(hidden[:, text.shape[1] - 1:]).float()
        return F.cross_entropy(logits.flatten(0, 1), codes.flatten()), self.thought_loss(hidden, text, thought)

    def guided_loss(self, text, real, thought, codes, pad, guidance, seen=None):
        """The same for guided logits of the picture, so that sampling is correct with each of the
        guidance scales `guidance` [B]."""
        hidden = self.hidden(torch.cat([text, unguided(text, real, pad)]), real.repeat(2, 1), codes.repeat(2, 1),
                             None if seen is None else seen.repeat(2, 1))
        given, free = self.gen_head(hidden[:, text.shape[1] - 1:]).float().chunk(2)
        guided = free + guidance[:, None, None] * (given - free)
        return F.cross_entropy(guided.flatten(0, 1), codes.flatten()), self.thought_loss(hidden[:len(text)], text, thought)

    @torch.no_grad()
    def draw(self, text, real, pad, guidance=5., temperature=1., generator=None):
        """Samples picture tokens for left-padded prompts. The engine gives the same for each prompt
        alone."""
        x = self.language_model.model.embed_tokens(torch.cat([text, unguided(text, real, pad)]))
        half, start = len(text), 0
        hidden_text = torch.where(real, 0., -1e4).repeat(2, 1)[:, None, None]
        caches = [[] for _ in self.language_model.model.layers]
        out = []
        for _ in range(self.config.positions):
            end = start + x.shape[1]
            mask = torch.full((x.shape[1], end), -1e4).triu(start + 1) + F.pad(hidden_text, (0, end - text.shape[1]))
            hidden = self.language_model.model(x, self.cos[start:end], self.sin[start:end], mask, caches)
            logits = self.gen_head(hidden[:, -1]).float()
            guided = logits[half:] + guidance * (logits[:half] - logits[half:])
            if temperature > 0:
                codes = torch.multinomial((guided / temperature).softmax(-1), 1, generator=generator)[:, 0]
            else:
                codes = guided.argmax(-1)
            out.append(codes)
            x = self.picture_inputs(codes.repeat(2))[:, None]
            start = end
        return torch.stack(out, 1)
