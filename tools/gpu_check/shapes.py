"""Sizes of the timed models, and the floor: the least bytes that any engine must read, divided by a
bandwidth."""
from dataclasses import dataclass

BF16 = 2


@dataclass(frozen=True)
class Shape:
    """Sizes of a model that drawing depends on. Published models have plain multi-head attention
    and heads of 128."""
    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    vocabulary: int = 102400
    codebook: int = 16384
    code_dim: int = 8
    grid: int = 24
    latent_channels: int = 256
    base_channels: int = 128
    multipliers: tuple = (1, 1, 2, 2, 4)
    norm_eps: float = 1e-6
    rope_theta: float = 10000.0

    @property
    def steps(self):
        return self.grid * self.grid

    @property
    def head_dim(self):
        return self.hidden // self.heads

    @property
    def image_size(self):
        return self.grid * 2 ** (len(self.multipliers) - 1)

    def step_weight_bytes(self):
        """Bytes of weights that each step reads, whatever the batch: layers and image head. The
        input embedding becomes a table of which a step reads one row, so it is not counted."""
        d = self.hidden
        layer = 4 * d * d + 3 * d * self.intermediate + 2 * d
        head = d * d + d + self.codebook * d + self.codebook
        return BF16 * (self.layers * layer + d + head)

    def cache_bytes(self):
        """Bytes of keys and values of one token of one row, bf16."""
        return BF16 * 2 * self.layers * self.hidden

    def batch_bytes(self, pictures, prompt):
        """Bytes read to draw `pictures` at once: the weights in every step, and the growing cache
        of two rows per picture."""
        contexts = sum(prompt + i for i in range(self.steps))
        return self.steps * self.step_weight_bytes() + 2 * pictures * contexts * self.cache_bytes()

    def floor_seconds(self, pictures, prompt, bandwidth):
        """Least seconds to draw `pictures` at once. `bandwidth` is in bytes per second. Pixels are
        not counted."""
        return self.batch_bytes(pictures, prompt) / bandwidth


SHAPES = {shape.name: shape for shape in (
    Shape("janus-pro-1b", hidden=2048, intermediate=5632, layers=24, heads=16),
    Shape("janus-pro-7b", hidden=4096, intermediate=11008, layers=30, heads=32),
    Shape("tiny", hidden=64, intermediate=96, layers=2, heads=4, vocabulary=512, codebook=128, grid=4,
          latent_channels=32, base_channels=32, multipliers=(1, 1)),
)}
