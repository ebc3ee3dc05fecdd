// Text decoder: prefill of a prompt with pictures, then autoregressive decoding token by token. The
// KV cache is kept between calls (prefix caching).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "src/engine/parts.h"
#include "src/engine/prefill.h"
#include "src/model/understanding_model.h"
#include "src/tokenizer/chat_prompt.h"
#include "src/understand.h"

namespace bifrons {

class TextDecoder {
 public:
  // Both references are borrowed and must outlive this object.
  TextDecoder(const Engine::Parts& parts, UnderstandingModel& understanding);

  // Prefill: runs the prompt through the model, except the prefix that it shares with the cached
  // sequence, and reserves room for `more` tokens after it. Returns the number of shared tokens.
  // Throws Error (usage): too long for the model.
  int64_t prefill(const ChatPrompt& prompt, std::span<const SeenPicture> pictures, int64_t more);

  // Throws what prefill() throws if the prompt is too long.
  void check_length(const ChatPrompt& prompt) const;

  // Samples the next token from the logits after the sequence; `step` counts a reply's tokens from
  // 0. Throws Error (data): the weights give not-a-number.
  int32_t sample(const ReplyOptions& options, int32_t step);
  // One decode step: appends a token and computes the logits after it.
  void append(int32_t token);
  // Encodes a picture to `rows` [tokens, D], the embeddings that replace its placeholders.
  void embed_picture(const Tensor& rows, const SeenPicture& picture);
  // The logits after the sequence, [vocabulary].
  std::vector<float> logits() const;

  int64_t positions() const { return config_.max_positions; }

 private:
  // Keys of the prefix cache, one per row: a token's id, or for a row of a picture a negative
  // number.
  std::vector<int64_t> keys_of(const ChatPrompt& prompt,
                               std::span<const SeenPicture> pictures) const;
  void reserve(int64_t capacity);
  void embed(const Tensor& x, std::span<const PrefillRow> rows, const ChatPrompt& prompt,
             std::span<const SeenPicture> pictures, int64_t first);
  void compute_logits(const Tensor& last_row);

  Backend& b_;
  const TransformerConfig& config_;
  const Transformer& transformer_;
  UnderstandingModel& understanding_;
  std::vector<float> inverse_frequency_;
  std::vector<int64_t> keys_;  // keys of the rows in the KV cache

  PagedKvCache memory_;                 // replaced when a conversation needs more
  Prefill prefill_;                     // its activations are also those of the steps
  std::unique_ptr<CapturedStep> step_;  // captured decode step, valid for the current memory_
  Buffer controls_;                     // ControlWords of one sampling
  Buffer token_;                        // i32 [3]: id, sequence and position of the appended token
  Buffer prompt_;                       // [rows of the longest prefill, D]
  Buffer input_;                        // one row [D]
  Buffer hidden_;                       // one row [D]
  Buffer logits_;                       // f32 [vocabulary]
  Buffer ids_;                          // i32 [2]
};

[[noreturn]] void refuse_damaged_reply();

}  // namespace bifrons
