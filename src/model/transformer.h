// The Llama-type decoder: rows of embeddings in, hidden states out. Keys and values go to the paged
// KV cache.
#pragma once

#include <vector>

#include "kernels/arena.h"
#include "kernels/backend.h"
#include "src/model/paged_kv_cache.h"
#include "src/model/weights.h"

namespace bifrons {

// Activations of the forward pass; `rows` is the most rows of one call.
struct TransformerActivations {
  Buffer storage;
  Tensor normed;   // [rows, D]
  Tensor qkv;      // [rows, (H + 2 G) d]
  Tensor q;        // [rows, H d]
  Tensor mixed;    // [rows, H d]
  Tensor gate_up;  // [rows, 2 F]
  Tensor gated;    // [rows, F]
};

class Transformer {
 public:
  // The caller binds (loads) the weights. `activation` is bf16 or f32.
  Transformer(const TransformerConfig& config, DType activation)
      : config_(config), activation_(activation) {}

  const TransformerConfig& config() const { return config_; }
  DType activation() const { return activation_; }
  // Whether the memory that it makes keeps keys and values in 8 bits (KvCache); at first not.
  bool int8_kv() const { return int8_kv_; }
  void set_int8_kv(bool int8_kv) { int8_kv_ = int8_kv; }
  TransformerWeights& weights() { return weights_; }
  const TransformerWeights& weights() const { return weights_; }

  // Bytes of the keys and values of `pages` pages in all layers.
  int64_t sequence_bytes(int64_t pages) const;
  int64_t activation_bytes(int64_t rows) const;
  // inverse_frequency: f32 [head_dim / 2] (src/model/rope.h).
  PagedKvCache make_memory(Backend& b, int64_t sequences, int64_t capacity, int64_t pages,
                           std::span<const float> inverse_frequency) const;
  // The same with all pages that the sequences can need, already assigned to them.
  PagedKvCache make_memory(Backend& b, int64_t sequences, int64_t capacity,
                           std::span<const float> inverse_frequency) const;
  TransformerActivations make_activations(Backend& b, int64_t rows) const;

  // Runs x [M, D] through all layers in place and appends keys and values to the cache at `rows`.
  // Used for prefill and for decode steps. The caller applies the final norm, because it needs only
  // the last row of a prompt. docs/janus-pro.md 4.5.
  void forward(Backend& b, const Tensor& x, const TokenRows& rows, const PagedKvCache& memory,
               const TransformerActivations& activations) const;

 private:
  TransformerActivations lay_out(Arena& arena, int64_t rows) const;
  CacheShape cache_shape() const {
    return {config_.layers, config_.kv_heads, config_.head_dim, activation_, int8_kv_};
  }

  TransformerConfig config_;
  DType activation_;
  bool int8_kv_ = false;
  TransformerWeights weights_;
};

}  // namespace bifrons
