// Chat prompts with pictures, as token ids, in the format of the training data of Janus models
// (docs/janus-pro.md 5.5).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// A user message and its reply. Only the last turn has no reply yet.
struct ChatTurn {
  int64_t pictures = 0;  // number of pictures, before the words
  std::string words;     // UTF-8
  std::optional<std::string> reply{};
};

struct ChatPrompt {
  std::vector<int32_t> ids;
  std::vector<int64_t> pictures;  // where in `ids` the placeholders of each picture begin
};

// Returns the ids of:
//
//   [BOS] {system}\n\n<|User|>: <picture>\n{words}\n\n<|Assistant|>: {reply}[EOS]<|User|>: ...
//   <|Assistant|>:
//
// <picture> is [begin_of_image] placeholder x picture_tokens [end_of_image]. Words and replies are
// stripped as Python's str.strip() does. If `system` is empty, its line breaks are left out. If the
// vocabulary lacks <|User|>, the words "User" and "Assistant" are used. Special tokens spelled in
// words are text unless `allow_special`; those in replies are always text. Throws Error (data):
// invalid UTF-8, or special tokens missing from the vocabulary.
ChatPrompt chat_prompt(const Tokenizer& tokenizer, std::string_view system,
                       std::span<const ChatTurn> turns, int64_t picture_tokens, bool allow_special);

// The user's role. A reply ends at this text even if the model gives no end of sentence.
std::string_view stop_text(const Tokenizer& tokenizer);

}  // namespace bifrons
