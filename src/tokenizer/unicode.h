// UTF-8, and the few questions about codepoints a tokenizer asks.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bifrons {

struct CodeRange {
  char32_t first;
  char32_t last;  // inclusive
};

// Where the first byte that is not well-formed UTF-8 stands (surrogates, overlong forms and values
// above U+10FFFF are not), or nothing when all of it is.
std::optional<size_t> invalid_utf8_at(std::string_view text);

// `bytes` with every maximal ill-formed part replaced by U+FFFD, as Rust's from_utf8_lossy does.
std::string replace_invalid_utf8(std::string_view bytes);

// Bytes of the character that begins with `lead`. The text must be valid.
constexpr size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character at `at` of a valid text.
char32_t codepoint_at(std::string_view text, size_t at);

// Where the character that ends just before `end` (> 0) of a valid text begins.
size_t previous_character(std::string_view text, size_t end);

void append_utf8(std::string& text, char32_t code);

// Whether `code` lies in one of the sorted `ranges`.
bool lies_in(std::span<const CodeRange> ranges, char32_t code);

// Unicode's White_Space property: what \s is to both engines of the `tokenizers` library.
bool is_white_space(char32_t code);

// What Python's str.strip() takes off both ends of a valid text: White_Space and U+001C to U+001F.
std::string_view python_strip(std::string_view text);

}  // namespace bifrons
