// The byte-to-character alphabet of byte-level BPE vocabularies.
#include "src/tokenizer/byte_alphabet.h"

#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

// The bytes without a visible Latin-1 character, as three ranges.
constexpr int kControls = 0x21;    // 00..20
constexpr int kUpperFirst = 0x7F;  // 7F..A0
constexpr int kUpperLast = 0xA0;
constexpr int kSoftHyphen = 0xAD;
constexpr int kFirstStandIn = 0x100;

constexpr int stand_in(int byte) {
  if (byte < kControls) return kFirstStandIn + byte;
  if (byte >= kUpperFirst && byte <= kUpperLast) {
    return kFirstStandIn + kControls + byte - kUpperFirst;
  }
  if (byte == kSoftHyphen) return kFirstStandIn + kControls + kUpperLast - kUpperFirst + 1;
  return byte;
}

std::optional<uint8_t> byte_of_letter(char32_t letter) {
  if (letter < kFirstStandIn) {
    const int byte = static_cast<int>(letter);
    if (stand_in(byte) == byte) return static_cast<uint8_t>(byte);
    return std::nullopt;
  }
  const int offset = static_cast<int>(letter) - kFirstStandIn;
  if (offset < kControls) return static_cast<uint8_t>(offset);
  const int upper = offset - kControls + kUpperFirst;
  if (upper <= kUpperLast) return static_cast<uint8_t>(upper);
  if (upper == kUpperLast + 1) return static_cast<uint8_t>(kSoftHyphen);
  return std::nullopt;
}

}  // namespace

char32_t letter_of_byte(uint8_t byte) { return static_cast<char32_t>(stand_in(byte)); }

std::optional<std::string> bytes_of_letters(std::string_view letters) {
  std::string bytes;
  for (size_t at = 0; at < letters.size(); at += utf8_length(letters[at])) {
    const std::optional<uint8_t> byte = byte_of_letter(codepoint_at(letters, at));
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
  }
  return bytes;
}

}  // namespace bifrons
