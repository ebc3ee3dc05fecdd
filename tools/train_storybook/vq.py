"""The picture tokenizer network: Janus-Pro's VQ form with any widths and the published names."""
import dataclasses

import torch
import torch.nn.functional as F
from torch import nn

GROUPS = 32


@dataclasses.dataclass
class Config:
    codes: int
    code_width: int = 64                       # Janus-Pro: 8; more can describe a whole patch
    ch: int = 32
    encoder_ch_mult: tuple = (1, 1, 2, 2, 4)
    decoder_ch_mult: tuple = (1, 1, 2, 4, 4)
    num_res_blocks: int = 1
    z_channels: int = 128


class Norm(nn.GroupNorm):
    """GroupNorm in float32, from per-channel sums, so that channels-last pictures are read in
    memory order.

    A small constant matrix distributes the sums to the groups, so the large loops have no index
    arithmetic.
    """

    def __init__(self, channels):
        super().__init__(GROUPS, channels, eps=1e-6)
        group = torch.arange(channels) // (channels // GROUPS)
        self.register_buffer("spread", (group[:, None] == group).float() * GROUPS / channels, persistent=False)

    def forward(self, x):
        f, pixels = x.float(), x.shape[2] * x.shape[3]
        with torch.autocast("cpu", enabled=False):
            mean = (f.sum((2, 3)) / pixels) @ self.spread
            square = ((f * f).sum((2, 3)) / pixels) @ self.spread
        scale = torch.rsqrt(square - mean * mean + self.eps) * self.weight
        shift = self.bias - mean * scale
        return (f * scale[:, :, None, None] + shift[:, :, None, None]).to(x.dtype)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = Norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = Norm(c)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        b, c, h, w = x.shape
        n = self.norm(x)
        q, k, v = (f(n).reshape(b, c, h * w) for f in (self.q, self.k, self.v))
        weights = ((q.transpose(1, 2) @ k).float() * c ** -.5).softmax(-1).to(v.dtype)
        return x + self.proj_out((v @ weights.transpose(1, 2)).reshape(b, c, h, w))


class Half(nn.Module):
    """The strided or upsampling convolution between two levels."""

    def __init__(self, c, down):
        super().__init__()
        self.down = down
        self.conv = nn.Conv2d(c, c, 3, stride=2 if down else 1, padding=0 if down else 1)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.down else F.interpolate(x, scale_factor=2., mode="nearest"))


class Level(nn.Module):
    def __init__(self, inputs, outputs, blocks, attention, resample):
        super().__init__()
        self.res = nn.ModuleList(Residual(inputs if i == 0 else outputs, outputs) for i in range(blocks))
        if attention:
            self.attn = nn.ModuleList(Attention(outputs) for _ in range(blocks))
        if resample:
            self.add_module(resample, Half(outputs, resample == "downsample"))
        self.resample = resample

    def forward(self, x):
        for i, block in enumerate(self.res):
            x = block(x)
            if hasattr(self, "attn"):
                x = self.attn[i](x)
        return getattr(self, self.resample)(x) if self.resample else x


def middle(c):
    return nn.ModuleList((Residual(c, c), Attention(c), Residual(c, c)))


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        widths = [c.ch * m for m in c.encoder_ch_mult]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(3, c.ch, 3, padding=1)
        self.conv_blocks = nn.ModuleList(
            Level(widths[max(0, i - 1)] if i else c.ch, w, c.num_res_blocks, i == last, None if i == last else "downsample")
            for i, w in enumerate(widths))
        self.mid = middle(widths[-1])
        self.norm_out, self.conv_out = Norm(widths[-1]), nn.Conv2d(widths[-1], c.z_channels, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in (*self.conv_blocks, *self.mid):
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        widths = [c.ch * m for m in c.decoder_ch_mult][::-1]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(c.z_channels, widths[0], 3, padding=1)
        self.mid = middle(widths[0])
        self.conv_blocks = nn.ModuleList(
            Level(widths[max(0, i - 1)], w, c.num_res_blocks + 1, i == 0, None if i == last else "upsample")
            for i, w in enumerate(widths))
        self.norm_out, self.conv_out = Norm(widths[-1]), nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, z):
        z = self.conv_in(z)
        for block in (*self.mid, *self.conv_blocks):
            z = block(z)
        return self.conv_out(F.silu(self.norm_out(z)))


class Quantiser(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c.codes, c.code_width)

    def vectors(self):
        return F.normalize(self.embedding.weight, dim=1)


class VQ(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.encoder, self.decoder, self.quantize = Encoder(c), Decoder(c), Quantiser(c)
        self.quant_conv = nn.Conv2d(c.z_channels, c.code_width, 1)
        self.post_quant_conv = nn.Conv2d(c.code_width, c.z_channels, 1)

    def directions(self, x):
        """Unit vectors [B, 64, code_width] that the encoder computes from pictures [B, 3, H, W]."""
        return F.normalize(self.quant_conv(self.encoder(x)).float(), dim=1).flatten(2).transpose(1, 2)

    def encode(self, x):
        return (self.directions(x) @ self.quantize.vectors().t()).argmax(-1)

    def decode(self, codes):
        """Pictures [B, 3, H, W] in about -1..1 from codes [B, n * n]."""
        side = round(codes.shape[1] ** .5)
        z = F.embedding(codes, self.quantize.vectors()).reshape(len(codes), side, side, -1).permute(0, 3, 1, 2)
        return self.decoder(self.post_quant_conv(z.contiguous(memory_format=torch.channels_last)))


def to_network(pictures):
    """uint8 [B, H, W, 3] -> float [B, 3, H, W] in -1..1."""
    x = torch.as_tensor(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def to_pixels(x):
    """Network output -> uint8 [B, H, W, 3], truncated as in the reference."""
    return ((x.detach().float().permute(0, 2, 3, 1) + 1) / 2 * 255).clamp(0, 255).to(torch.uint8).numpy()
