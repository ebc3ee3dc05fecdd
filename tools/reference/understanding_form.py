"""The understanding part in plain PyTorch, with the parameter names of the original checkpoints.

Like original_form.py, it is written from the description of the model. Everything is computed in
the dtype of the weights.
"""
import torch
from torch import nn
from torch.nn import functional as F


class TowerAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        pictures, tokens, width = x.shape
        q, k, v = self.qkv(x).view(pictures, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = ((q @ k.transpose(2, 3)) * (width // self.heads) ** -0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(pictures, tokens, width))


class TowerMlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class TowerBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = TowerAttention(width, heads), TowerMlp(width, 4 * width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    def __init__(self, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTower(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        width, tokens = sizes["width"], (sizes["image_size"] // sizes["patch_size"]) ** 2
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))
        self.patch_embed = PatchEmbedding(width, sizes["patch_size"])
        self.blocks = nn.ModuleList(TowerBlock(width, sizes["heads"]) for _ in range(sizes["layers"]))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pixels):
        """[pictures, 3, side, side] in [-1, 1] to features [pictures, tokens, width]."""
        x = self.patch_embed(pixels) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class VisionModel(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.vision_tower = VisionTower(sizes)


class Aligner(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, x):
        return self.layers(x)


def pixel_values(pictures):
    """Bytes [pictures, side, side, 3] to inputs of the tower [pictures, 3, side, side]: rescaled in
    double, rounded to float, normalised in float."""
    rescaled = (pictures.double() * 0.00392156862745098).float()
    return ((rescaled - 0.5) / 0.5).permute(0, 3, 1, 2).contiguous()


class Understanding(nn.Module):
    """`drawing` is an OriginalForm with the same weights; its language model is used here."""

    def __init__(self, sizes, drawing):
        super().__init__()
        self.vision_model = VisionModel(sizes)
        self.aligner = Aligner(sizes["width"], drawing.shape.hidden)
        self.drawing = [drawing]  # not a submodule: its weights have their own names

    def load(self, weights):
        own = {name: tensor for name, tensor in weights.items()
               if name.startswith(("vision_model.", "aligner.")) and ".attn_pool." not in name}
        self.load_state_dict(own, strict=True)
        return self.to(next(iter(own.values())).dtype).eval()

    @torch.no_grad()
    def look(self, pixels):
        """Features of the tower, and embeddings for the placeholders."""
        features = self.vision_model.vision_tower(pixels)
        return features, self.aligner(features)

    @torch.no_grad()
    def reply(self, ids, places, rows, steps, forced=None):
        """Greedy tokens after `ids`, with the pictures' `rows` at `places`; also returns the
        logits."""
        language = self.drawing[0].language_model
        caches = [{} for _ in language.model.layers]
        x = language.model.embed_tokens(torch.tensor([ids]))
        for place, row in zip(places, rows):
            x[0, place:place + len(row)] = row
        position, tokens, logits = 0, [], []
        for step in range(steps):
            hidden = language.model(x, position, caches)
            position += x.shape[1]
            logits.append(language.lm_head(hidden[0, -1]))
            token = int(logits[-1].argmax()) if forced is None else int(forced[step])
            tokens.append(token)
            x = language.model.embed_tokens(torch.tensor([[token]]))
        return tokens, torch.stack(logits)
