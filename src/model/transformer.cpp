// The forward pass of the Llama-type decoder as a list of ops.
#include "src/model/transformer.h"

#include <utility>

namespace bifrons {

void Transformer::forward(Backend& b, const Tensor& x, const TokenRows& rows,
                          const PagedKvCache& memory,
                          const TransformerActivations& activations) const {
  const int64_t m = x.rows();
  const auto first = [m](const Tensor& t) { return t.slice_rows(0, m); };
  const Tensor normed = first(activations.normed), qkv = first(activations.qkv);
  const Tensor q = first(activations.q), mixed = first(activations.mixed);
  const Tensor gate_up = first(activations.gate_up), gated = first(activations.gated);

  for (int64_t l = 0; l < config_.layers; ++l) {
    const LayerWeights& w = weights_.layers[l];
    b.norm_linear_rope(q, memory.cache[l], x, w.attention_norm, config_.norm_eps, w.qkv,
                       memory.rope, rows, normed, qkv);
    b.attention(mixed, q, memory.cache[l], rows);
    b.linear_add(x, mixed, w.attention_out);

    b.norm_linear_swiglu(gated, x, w.mlp_norm, config_.norm_eps, w.gate_up, normed, gate_up);
    b.linear_add(x, gated, w.down);
  }
}

int64_t Transformer::sequence_bytes(int64_t pages) const {
  return pages * cache_shape().page_bytes();
}

PagedKvCache Transformer::make_memory(Backend& b, int64_t sequences, int64_t capacity,
                                      int64_t pages,
                                      std::span<const float> inverse_frequency) const {
  return make_paged_kv_cache(b, cache_shape(), sequences, capacity, pages, inverse_frequency);
}

PagedKvCache Transformer::make_memory(Backend& b, int64_t sequences, int64_t capacity,
                                      std::span<const float> inverse_frequency) const {
  const int64_t each = pages_for(capacity);
  PagedKvCache memory = make_memory(b, sequences, capacity, sequences * each, inverse_frequency);
  std::vector<std::vector<int32_t>> own(sequences, std::vector<int32_t>(each));
  for (int64_t i = 0; i < sequences * each; ++i) own[i / each][i % each] = static_cast<int32_t>(i);
  set_table(b, memory, own);
  return memory;
}

TransformerActivations Transformer::lay_out(Arena& arena, int64_t rows) const {
  const int64_t q_width = config_.heads * config_.head_dim;
  const int64_t kv_width = config_.kv_heads * config_.head_dim;
  TransformerActivations a;
  a.normed = arena.take(activation_, {rows, config_.hidden});
  a.qkv = arena.take(activation_, {rows, q_width + 2 * kv_width});
  a.q = arena.take(activation_, {rows, q_width});
  a.mixed = arena.take(activation_, {rows, q_width});
  a.gate_up = arena.take(activation_, {rows, 2 * config_.intermediate});
  a.gated = arena.take(activation_, {rows, config_.intermediate});
  return a;
}

int64_t Transformer::activation_bytes(int64_t rows) const {
  return arena_bytes([&](Arena& arena) { lay_out(arena, rows); });
}

TransformerActivations Transformer::make_activations(Backend& b, int64_t rows) const {
  Buffer storage = b.allocate(activation_bytes(rows));
  Arena arena(storage);
  TransformerActivations a = lay_out(arena, rows);
  a.storage = std::move(storage);
  return a;
}

}  // namespace bifrons
