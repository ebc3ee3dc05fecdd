// UTF-8: the program's one decoder and one encoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bifrons {

// U+FFFD, which stands for bytes that are not UTF-8.
constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";

// What stands at the front of a text.
struct Utf8Front {
  char32_t point = 0xfffd;  // the code point where it is valid
  size_t bytes = 1;         // of the character, or of the maximal ill-formed part
  bool valid = false;
  // How far a reader moves that takes ill-formed bytes one by one.
  constexpr size_t step() const { return valid ? bytes : 1; }
};

// Bytes of the character that begins with `lead`. The text must be valid.
constexpr size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// The front of a text that is not empty: table 3-7 of the Unicode standard. Overlong forms,
// surrogates and values above U+10FFFF are ill-formed.
constexpr Utf8Front decode_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const size_t length = utf8_length(text[0]);
  const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;  // of the second byte
  const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t point = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const bool well_formed =
        i < text.size() && byte(i) >= (i == 1 ? low : 0x80) && byte(i) <= (i == 1 ? high : 0xbf);
    if (!well_formed) return {.bytes = i};
    point = point << 6 | (byte(i) & 0x3fu);
  }
  return {point, length, true};
}

// Offset of the first byte that is not part of well-formed UTF-8.
constexpr std::optional<size_t> invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Front front = decode_utf8(text.substr(at));
    if (!front.valid) return at;
    at += front.bytes;
  }
  return std::nullopt;
}

// `code`: at most U+10FFFF and no surrogate.
inline void append_utf8(std::string& text, char32_t code) {
  const auto add = [&](char32_t byte) { text += static_cast<char>(static_cast<uint8_t>(byte)); };
  const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr uint8_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  add(kLead[more] | code >> (6 * more));
  for (int i = more - 1; i >= 0; --i) add(0x80 | (code >> (6 * i) & 0x3f));
}

}  // namespace bifrons
