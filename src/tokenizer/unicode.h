// UTF-8 and the character properties that the tokenizer needs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "kernels/utf8.h"

namespace bifrons {

struct CodeRange {
  char32_t first;
  char32_t last;  // inclusive
};

// `bytes` with every maximal ill-formed part replaced by U+FFFD, as Rust's from_utf8_lossy does.
std::string replace_invalid_utf8(std::string_view bytes);

// The character at offset `at` of a valid text.
char32_t codepoint_at(std::string_view text, size_t at);

// Start of the character that ends at `end` (> 0) of a valid text.
size_t previous_character(std::string_view text, size_t end);

// Whether `code` is in one of the sorted `ranges`.
bool lies_in(std::span<const CodeRange> ranges, char32_t code);

// Unicode's White_Space property. It is what \s matches in both regex engines of `tokenizers`.
bool is_white_space(char32_t code);

// Strips both ends of a valid text as Python's str.strip() does: White_Space and U+001C to U+001F.
std::string_view python_strip(std::string_view text);

}  // namespace bifrons
