// Conversations about pictures as Janus models are trained on them (docs/janus-pro.md 5.5), as
// token ids.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// What the user said, and what was answered; only the last turn is still without a reply.
struct ChatTurn {
  int64_t pictures = 0;  // shown with the words, in front of them
  std::string words;     // UTF-8
  std::optional<std::string> reply{};
};

struct ChatPrompt {
  std::vector<int32_t> ids;
  std::vector<int64_t> pictures;  // where in `ids` each picture's placeholders begin
};

// [BOS] {system}\n\n<|User|>: <picture>\n{words}\n\n<|Assistant|>: {reply}[EOS]<|User|>: ...
// <|Assistant|>: with [begin_of_image] placeholder x picture_tokens [end_of_image] for a picture.
// Words and replies are stripped as Python strips; an empty `system` leaves out its line ends. A
// vocabulary without <|User|> gets "User" and "Assistant" as words. Special tokens spelled in words
// are text unless `allow_special`, those in replies always. Throws Error (data): invalid UTF-8,
// special tokens missing from the vocabulary.
ChatPrompt chat_prompt(const Tokenizer& tokenizer, std::string_view system,
                       std::span<const ChatTurn> turns, int64_t picture_tokens, bool allow_special);

// The text at which a reply ends though the model did not say so: the user's role.
std::string_view stop_text(const Tokenizer& tokenizer);

}  // namespace bifrons
