// Chunked prefill: runs rows of prompts through the transformer, which fills the KV cache.
#pragma once

#include <cstdint>
#include <span>

#include "src/model/transformer.h"

namespace bifrons {

struct EmbeddedPicture;  // src/engine/spans.h

// Fewest rows that a prefill pass has room for.
inline constexpr int64_t kPrefillRows = 256;

// A token of a prompt: its id, and where its keys and values belong in the KV cache.
struct PrefillRow {
  int32_t id = 0;  // negative: the key of a row of `picture`
  int32_t sequence = 0;
  int32_t position = 0;
  const EmbeddedPicture* picture = nullptr;
};

// Owns the activations of the passes. Decode steps of the same engine use them too.
class Prefill {
 public:
  // Both references are borrowed and must outlive this object.
  Prefill(Backend& backend, const Transformer& transformer)
      : b_(backend), transformer_(transformer) {}

  // Allocates memory for passes of at most `rows` rows. Throws Error (unavailable).
  void reserve(int64_t rows);
  // Rows of the largest pass.
  int64_t limit() const { return activations_.normed.rows(); }
  const TransformerActivations& activations() const { return activations_; }

  // x [rows, D] = the embeddings of the tokens and of the pictures. Any number of rows.
  void embed(const Tensor& x, std::span<const PrefillRow> rows);
  // Runs x [rows, D] through all layers in place, in passes of at most limit() rows. Rows of one
  // sequence must come in the order of their positions.
  void forward(const Tensor& x, std::span<const PrefillRow> rows, const PagedKvCache& cache);

 private:
  Tensor upload(int32_t PrefillRow::*field, std::span<const PrefillRow> rows, int64_t slot);

  Backend& b_;
  const Transformer& transformer_;
  TransformerActivations activations_;
  Buffer counters_;  // i32 [3, limit()]: ids, sequences, positions
};

}  // namespace bifrons
