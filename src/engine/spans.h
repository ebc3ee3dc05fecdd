// Prompts made of spans: token ids, and pictures that enter as embeddings. Every row of a drawing
// prompt may have other spans; all rows of a picture have one length.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/buffer.h"
#include "kernels/tensor.h"
#include "src/engine/parts.h"
#include "src/understand.h"

namespace bifrons {

// Embeddings of a picture, one row a token: the vision tower's features through the aligner, or its
// codes through gen_embed and gen_aligner. In the prefix cache, row t has the key `first_key` - t,
// which is negative and belongs to no other picture of the engine.
struct EmbeddedPicture {
  Buffer storage;
  Tensor rows;  // [T, D], a view on `storage`
  int32_t first_key = 0;

  int64_t count() const { return rows.rows(); }
  int32_t key(int64_t row) const { return first_key - static_cast<int32_t>(row); }
  bool holds(int32_t key) const { return key <= first_key && key > first_key - count(); }
};

// Token ids, or a picture.
struct PromptSpan {
  std::vector<int32_t> ids{};
  std::shared_ptr<const EmbeddedPicture> picture{};  // null: ids
};
using SpannedRow = std::vector<PromptSpan>;

// The rows of a picture: one or more conditional ones, the unconditional one last. A prompt must
// not outlive the engine whose memory its pictures lie in.
struct SpannedPrompt {
  std::vector<SpannedRow> rows;
  // Of the conditional rows, with sum 1: the guided logits are u + scale * sum of share[r] (c_r -
  // u), with the scale of the request.
  std::vector<double> shares;

  // The picture that has this key in some row. It must exist.
  const EmbeddedPicture& picture_of(int32_t key) const;
};

// Token ids, and for the rows of pictures their keys.
std::vector<int32_t> keys_of(const SpannedRow& row);

// The embeddings of a picture's codes in raster order. Throws Error (unavailable).
std::shared_ptr<const EmbeddedPicture> embed_codes(const Engine::Parts& parts,
                                                   std::span<const int32_t> codes);

// The embeddings of a picture as the model sees it. Throws Error (unavailable).
std::shared_ptr<const EmbeddedPicture> embed_seen(const Understanding::Parts& parts,
                                                  const SeenPicture& picture);

}  // namespace bifrons
