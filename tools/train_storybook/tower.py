"""The vision tower of the storybook model: Janus-Pro's SigLIP tower with any widths and the
published names."""
import dataclasses

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class Config:
    image: int = 128
    patch: int = 16
    width: int = 192
    layers: int = 6
    heads: int = 3
    mlp_ratio: int = 4
    epsilon: float = 1e-6

    @property
    def tokens(self):
        return (self.image // self.patch) ** 2


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.qkv, self.proj = nn.Linear(c.width, 3 * c.width), nn.Linear(c.width, c.width)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        score = (q * q.shape[-1] ** -.5) @ k.transpose(2, 3)
        y = score.softmax(-1, dtype=torch.float32).to(v.dtype) @ v
        return self.proj(y.transpose(1, 2).reshape(b, t, d))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(c.width, c.mlp_ratio * c.width), nn.Linear(c.mlp_ratio * c.width, c.width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(c.width, eps=c.epsilon) for _ in range(2))
        self.attn, self.mlp = Attention(c), MLP(c)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv2d(3, c.width, c.patch, stride=c.patch)

    def forward(self, pictures):
        """Patches in raster order, channel by channel, times the kernel."""
        b, _, h, w = pictures.shape
        p = self.proj.kernel_size[0]
        cells = pictures.reshape(b, 3, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).reshape(b, -1, 3 * p * p)
        return F.linear(cells, self.proj.weight.flatten(1), self.proj.bias)


class Tower(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.randn(1, c.tokens, c.width) * .02)
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width, eps=c.epsilon)

    def forward(self, pictures):
        """[B, 3, side, side] in -1..1 -> [B, tokens, width]."""
        x = self.patch_embed(pictures) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class VisionModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.vision_tower = Tower(c)

    def forward(self, pictures):
        return self.vision_tower(pictures)
