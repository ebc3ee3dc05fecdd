// Every reader of UTF-8, against one list of all well-formed characters.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <unordered_set>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/tokenizer/unicode.h"
#include "vision/pictures/exif_xmp.h"

namespace bifrons::testing {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// UTF-8 bit distribution of the Unicode standard, table 3-6.
std::string encoded(uint32_t c) {
  const auto b = [](uint32_t byte) { return static_cast<char>(byte); };
  const auto tail = [&](int shift) { return b(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) return {b(c)};
  if (c < 0x800) return {b(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {b(0xe0 | c >> 12), tail(6), tail(0)};
  return {b(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

// One number for up to four bytes and their count.
uint64_t number_of(std::string_view bytes) {
  uint64_t number = bytes.size();
  for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

// All characters, and all proper prefixes of characters.
struct Characters {
  std::unordered_set<uint64_t> whole;
  std::unordered_set<uint64_t> begun;
  Characters() {
    for (uint32_t c = 0; c <= 0x10ffff; ++c) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      const std::string character = encoded(c);
      whole.insert(number_of(character));
      for (size_t n = 1; n < character.size(); ++n) {
        begun.insert(number_of(std::string_view(character).substr(0, n)));
      }
    }
  }
  // Bytes of the character at the front; 0 if there is none.
  size_t front(std::string_view text) const {
    for (size_t n = 1; n <= std::min<size_t>(4, text.size()); ++n) {
      if (whole.count(number_of(text.substr(0, n)))) return n;
    }
    return 0;
  }
  // Bytes of the maximal ill-formed part at the front.
  size_t ill_formed(std::string_view text) const {
    size_t n = 1;
    if (!begun.count(number_of(text.substr(0, 1)))) return n;
    while (n < text.size() && begun.count(number_of(text.substr(0, n + 1)))) ++n;
    return n;
  }
};

const Characters& characters() {
  static const Characters all;
  return all;
}

// Ill-formed bytes are replaced: one sign for each byte, or for each maximal part.
std::string repaired(std::string_view text, bool by_part) {
  std::string out;
  while (!text.empty()) {
    size_t bytes = characters().front(text);
    out += bytes > 0 ? text.substr(0, bytes) : kReplacement;
    if (bytes == 0) bytes = by_part ? characters().ill_formed(text) : 1;
    text.remove_prefix(bytes);
  }
  return out;
}

std::optional<size_t> first_fault(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = characters().front(text.substr(at));
    if (bytes == 0) return at;
    at += bytes;
  }
  return std::nullopt;
}

// Calls `judge` with all strings of one to four bytes at the ends of the standard's byte ranges.
template <typename Judge>
void for_edges(Judge judge) {
  const std::string edges(
      "A\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xec\xed\xee\xf0\xf4\xf5", 19);
  std::string text;
  for (size_t length = 1; length <= 4; ++length) {
    std::array<size_t, 4> digits{};
    text.assign(length, edges[0]);
    while (true) {
      for (size_t i = 0; i < length; ++i) text[i] = edges[digits[i]];
      judge(text);
      size_t i = 0;
      while (i < length && ++digits[i] == edges.size()) digits[i++] = 0;
      if (i == length) break;
    }
  }
}

TEST(Utf8, FindsTheFirstFault) {
  for_edges([](const std::string& text) {
    ASSERT_EQ(invalid_utf8(text), first_fault(text)) << quote(text);
  });
}

TEST(Utf8, DecodesWhatStandsAtTheFront) {
  for_edges([](const std::string& text) {
    const Utf8Front front = decode_utf8(text);
    const size_t bytes = characters().front(text);
    ASSERT_EQ(front.valid, bytes > 0) << quote(text);
    ASSERT_EQ(front.bytes, bytes > 0 ? bytes : characters().ill_formed(text)) << quote(text);
    if (bytes > 0) {
      ASSERT_EQ(encoded(front.point), text.substr(0, bytes));
    }
  });
}

TEST(Utf8, IllFormedBytesAreReplaced) {
  for_edges([](const std::string& text) {
    ASSERT_EQ(replace_invalid_utf8(text), repaired(text, true)) << quote(text);
    const std::string shown = plain_json(text);
    if (shown.find('\\') == shown.npos) {  // no character became an escape
      ASSERT_EQ(shown, repaired(text, false)) << quote(text);
    }
    ASSERT_EQ(exif_comment(exif_with_comment(text)), repaired(text, false)) << quote(text);
  });
}

TEST(Utf8, EveryCodePointIsWrittenAndReadBack) {
  for (uint32_t c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string one;
    append_utf8(one, c);
    ASSERT_EQ(one, encoded(c));
    if (c % 7 == 0) {
      ASSERT_EQ(exif_comment(exif_with_comment(one)), one);
    }
  }
}

}  // namespace
}  // namespace bifrons::testing
