"""A good PyTorch implementation: fused projections, a preallocated cache, a CUDA graph for each
stretch of context.

It takes its weights out of the transformers model, which cannot be used afterwards. On a CPU the
same step runs without graphs; that is how it is tested.
"""
import torch
from torch.nn import functional as F

STRETCH = 128  # attention reads the cache up to the next multiple of this


class Layer:
    """Weights of a layer; projections with the same input are concatenated."""

    def __init__(self, layer):
        attention, mlp = layer.self_attn, layer.mlp
        self.attention_norm, self.mlp_norm = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        self.qkv = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
        attention.q_proj = attention.k_proj = attention.v_proj = None
        self.out = attention.o_proj.weight
        self.gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
        mlp.gate_proj = mlp.up_proj = None
        self.down = mlp.down_proj.weight


def rotate(x, cos, sin):
    """RoPE on [..., head_dim]; component i of the first half is paired with component i of the
    second."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class GraphLoop:
    """Draws `pictures` of one prompt at once. Rows 0..pictures-1 are conditional, the others
    unconditional."""

    @torch.no_grad()
    def __init__(self, model, shape, pictures, prompt_length, guidance=5.0, layers=None):
        janus = model.model
        self.shape, self.pictures, self.rows, self.guidance = shape, pictures, 2 * pictures, guidance
        self.layers = layers if layers is not None else [Layer(layer) for layer in janus.language_model.layers]
        self.embed, self.norm = janus.language_model.embed_tokens.weight, janus.language_model.norm.weight
        self.codes_embed, self.aligner = janus.generation_embeddings, janus.generation_aligner
        self.head = janus.generation_head
        device, dtype = self.norm.device, self.norm.dtype
        self.length = prompt_length + shape.steps
        place = {"device": device, "dtype": dtype}
        cache = (self.rows, shape.heads, self.length, shape.head_dim)
        self.keys = [torch.zeros(cache, **place) for _ in self.layers]
        self.values = [torch.zeros(cache, **place) for _ in self.layers]
        angles = torch.outer(torch.arange(self.length, device=device).float(),
                             janus.language_model.rotary_emb.inv_freq.float())
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)
        self.ids = torch.zeros(pictures, dtype=torch.long, device=device)
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        self.drawn = torch.zeros(pictures, self.length, dtype=torch.long, device=device)
        self.places = torch.arange(self.length, device=device)
        self.sample, self.graphs = True, {}

    def forward(self, x, at, context):
        """x [rows, tokens, hidden] at positions `at`; attends to the first `context` positions of
        the cache."""
        s, (rows, tokens, _) = self.shape, x.shape
        cos, sin = self.cos[at], self.sin[at]
        mask = self.places[None, :context] <= at[:, None]
        for l, w in enumerate(self.layers):
            normed = F.rms_norm(x, (s.hidden,), w.attention_norm, s.norm_eps)
            qkv = F.linear(normed, w.qkv).view(rows, tokens, 3, s.heads, s.head_dim)
            q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
            self.keys[l].index_copy_(2, at, rotate(k, cos, sin))
            self.values[l].index_copy_(2, at, v)
            mixed = F.scaled_dot_product_attention(rotate(q, cos, sin), self.keys[l][:, :, :context],
                                                   self.values[l][:, :, :context], attn_mask=mask)
            x = x + F.linear(mixed.transpose(1, 2).reshape(rows, tokens, s.hidden), w.out)
            normed = F.rms_norm(x, (s.hidden,), w.mlp_norm, s.norm_eps)
            gate, up = F.linear(normed, w.gate_up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, w.down)
        return F.rms_norm(x[:, -1], (s.hidden,), self.norm, s.norm_eps)

    def choose(self, hidden):
        """Guidance and sampling. The minimum of exponentials is torch.multinomial without its
        checks on the host."""
        prompted, unprompted = self.head(hidden).chunk(2)
        guided = unprompted + self.guidance * (prompted - unprompted)
        if self.sample:
            probabilities = torch.softmax(guided.float(), dim=-1)
            guided = probabilities / torch.empty_like(probabilities).exponential_(1)
        self.ids.copy_(guided.argmax(dim=-1))
        self.drawn.index_copy_(1, self.position, self.ids[:, None])

    def step(self, context):
        self.position.add_(1)
        x = self.aligner(self.codes_embed(self.ids))[:, None]
        self.choose(self.forward(torch.cat([x, x]), self.position, context))

    def replay(self, context):
        """Runs a step as a captured graph, or directly where graphs are not available."""
        if self.position.device.type != "cuda":
            return self.step(context)
        if (context, self.sample) not in self.graphs:
            self.graphs[context, self.sample] = self.record(context)
        self.graphs[context, self.sample].replay()

    def record(self, context):
        """Captures the graph of a step. Replays overwrite what the capture left in the cache."""
        state = self.position, self.ids, self.drawn
        kept = [tensor.clone() for tensor in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries initialise outside of the capture
            self.step(context)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(context)
        for tensor, value in zip(state, kept):
            tensor.copy_(value)
        return graph

    def context_of(self, needed):
        return min(self.length, -(-needed // STRETCH) * STRETCH)

    @torch.no_grad()
    def draw(self, prompted, unprompted, steps, sample=True):
        """Codes [pictures, steps] of the prompt's ids [1, length] and of the unconditional row's
        ids."""
        self.sample = sample
        length = prompted.shape[1]
        x = torch.cat([self.embed[ids].expand(self.pictures, -1, -1) for ids in (prompted, unprompted)])
        self.position.fill_(length - 1)
        self.choose(self.forward(x, self.places[:length], length))
        for i in range(1, steps):
            self.replay(self.context_of(length + i))
        return self.drawn[:, length - 1:length - 1 + steps]

    @torch.no_grad()
    def warm_up(self, prompted, unprompted):
        """Runs prefill and every graph that a whole picture needs, once."""
        self.draw(prompted, unprompted, 1)
        for needed in range(prompted.shape[1] + 1, self.length, STRETCH):
            self.position.fill_(prompted.shape[1])
            self.replay(self.context_of(needed))
        self.position.fill_(prompted.shape[1])
        self.replay(self.length)
