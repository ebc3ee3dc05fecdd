// Prompts as Janus models are trained on them (docs/janus-pro.md 4.1 and 4.2), as token ids.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// [BOS] "<|User|>: {prompt}\n\n<|Assistant|>:" [begin_of_image], the prompt stripped as Python
// strips; a vocabulary without <|User|> gets "User" and "Assistant" as words. An empty prompt
// leaves out its space and line ends. The ids are those of the whole text at once, except that
// special tokens spelled in `prompt` are text unless `allow_special`. Throws Error (data): invalid
// UTF-8, special tokens missing from the vocabulary.
std::vector<int32_t> drawing_prompt(const Tokenizer& tokenizer, std::string_view prompt,
                                    bool allow_special);

// The unguided row beside `prompt` (ids of drawing_prompt): everything between its first and last
// id replaced by pads, or by `negative`, taken as plain text and padded or cut to the same length.
std::vector<int32_t> unguided_prompt(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt,
                                     std::string_view negative);

}  // namespace bifrons
