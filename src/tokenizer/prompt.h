// Drawing prompts as token ids, in the format of the training data of Janus models
// (docs/janus-pro.md 4.1 and 4.2).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// Returns the ids of [BOS] "<
// User
// >: {prompt}\n\n<
// Assistant
// >:" [begin_of_image]. The prompt is stripped as Python's str.strip() does. If the vocabulary
// lacks <
// User
// >, the words "User" and "Assistant" are used. For an empty prompt, its space and line breaks are
// left out. The whole text is encoded at once, except that special tokens spelled in `prompt` are
// text unless `allow_special`. Throws Error (data): invalid UTF-8, or special tokens missing from
// the vocabulary.
std::vector<int32_t> drawing_prompt(const Tokenizer& tokenizer, std::string_view prompt,
                                    bool allow_special);

// The unconditional row of classifier-free guidance for `prompt` (ids of drawing_prompt).
// Everything between the first and the last id is replaced by pads, or by `negative`: it is encoded
// as plain text and padded or cut to the same length.
std::vector<int32_t> unconditional_prompt(const Tokenizer& tokenizer,
                                          const std::vector<int32_t>& prompt,
                                          std::string_view negative);

}  // namespace bifrons
