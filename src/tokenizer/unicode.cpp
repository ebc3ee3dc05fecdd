// UTF-8 and the character properties that the tokenizer needs.
#include "src/tokenizer/unicode.h"

#include <algorithm>
#include <cstdint>

namespace bifrons {
namespace {

constexpr CodeRange kWhiteSpace[] = {
    {0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

bool python_strips(char32_t code) { return is_white_space(code) || (code >= 0x1C && code <= 0x1F); }

}  // namespace

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Front front = decode_utf8(bytes);
    text += front.valid ? bytes.substr(0, front.bytes) : kReplacementCharacter;
    bytes.remove_prefix(front.bytes);
  }
  return text;
}

char32_t codepoint_at(std::string_view text, size_t at) {
  return decode_utf8(text.substr(at)).point;
}

size_t previous_character(std::string_view text, size_t end) {
  size_t at = end - 1;
  while ((static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool lies_in(std::span<const CodeRange> ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t c, const CodeRange& r) { return c < r.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

bool is_white_space(char32_t code) { return lies_in(kWhiteSpace, code); }

std::string_view python_strip(std::string_view text) {
  while (!text.empty() && python_strips(codepoint_at(text, 0))) {
    text.remove_prefix(utf8_length(text[0]));
  }
  while (!text.empty()) {
    const size_t last = previous_character(text, text.size());
    if (!python_strips(codepoint_at(text, last))) break;
    text = text.substr(0, last);
  }
  return text;
}

}  // namespace bifrons
