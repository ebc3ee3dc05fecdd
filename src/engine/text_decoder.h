// The text side of the transformer: hears a prompt with pictures in it, gives token after token.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "src/engine/parts.h"
#include "src/model/understanding_model.h"
#include "src/tokenizer/chat_prompt.h"
#include "src/understand.h"

namespace bifrons {

// A picture ready for the tower.
struct SeenPicture {
  int64_t serial = 0;          // two pictures of one serial, from 1 on, are one picture
  std::vector<float> patches;  // [tokens, 3 patch^2]
};

class TextDecoder {
 public:
  // Both are borrowed and must outlive it.
  TextDecoder(const Engine::Parts& parts, UnderstandingModel& understanding);

  // Runs the prompt through the model, but for what it shares with the sequence heard last, and
  // makes room for `more` tokens behind it. Returns how many tokens were shared. Throws Error
  // (usage): too long for the model.
  int64_t prefill(const ChatPrompt& prompt, std::span<const SeenPicture> pictures, int64_t more);

  // Throws what prefill() throws of the prompt's length.
  void check_length(const ChatPrompt& prompt) const;

  // The next token by the logits behind the sequence; `step` counts a reply's tokens from 0. Throws
  // Error (data): the weights give not-a-number.
  int32_t sample(const ReplyOptions& options, int32_t step);
  // Appends a token and computes the logits behind it.
  void append(int32_t token);
  // The logits behind the sequence, [vocabulary].
  std::vector<float> logits() const;

  int64_t positions() const { return config_.max_positions; }

 private:
  // What makes a row of the sequence: a token's id, or a row of a picture, counted below zero.
  std::vector<int64_t> keys_of(const ChatPrompt& prompt,
                               std::span<const SeenPicture> pictures) const;
  void reserve(int64_t capacity);
  void embed(const Tensor& x, const ChatPrompt& prompt, std::span<const SeenPicture> pictures,
             int64_t first);
  // Where `count` rows of the sequence belong, from position `first` on; at most as many as run at
  // once.
  TokenRows place_rows(int64_t count, int64_t first);
  void run(const Tensor& x, int64_t first);
  void compute_logits(const Tensor& last_row);

  Backend& b_;
  const TransformerConfig& config_;
  const Transformer& transformer_;
  UnderstandingModel& understanding_;
  std::vector<float> inverse_frequency_;
  std::vector<int64_t> keys_;  // of the rows in the cache

  PagedKvCache memory_;  // grown when a conversation needs more
  TransformerActivations activations_;
  std::unique_ptr<CapturedStep> step_;  // of one token, on memory_ as it is
  Buffer counters_;                     // i32 ids, sequences, positions of kPrefillRows rows
  Buffer controls_;                     // of one draw
  Buffer token_;                        // i32 [3]: id, sequence and position of the one that is fed
  Buffer prompt_;                       // [rows of the longest prompt heard, D]
  Buffer input_;                        // one row [D]
  Buffer hidden_;                       // one row [D]
  Buffer logits_;                       // f32 [vocabulary]
  Buffer ids_;                          // i32 [2]
};

[[noreturn]] void refuse_damaged_reply();

}  // namespace bifrons
