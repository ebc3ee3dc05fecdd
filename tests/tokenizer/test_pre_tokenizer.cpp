// The pre-tokenizer, and the character properties that it uses.
#include <gtest/gtest.h>

#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/pre_tokenizer.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

using Pieces = std::vector<std::string>;

Pieces pieces(std::string_view text, DigitSplit digits = DigitSplit::kEachNumeric) {
  Pieces found;
  pre_tokenize(text, digits, [&](std::string_view piece) { found.emplace_back(piece); });
  return found;
}

TEST(PreTokenize, SplitsInTheOrderOfTheFile) {
  EXPECT_EQ(pieces(""), Pieces{});
  EXPECT_EQ(pieces("Hello, you"), (Pieces{"Hello", ",", " you"}));
  EXPECT_EQ(pieces("a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_EQ(pieces("a\r\nb"), (Pieces{"a", "\r", "\n", "b"}));
  EXPECT_EQ(pieces("x   "), (Pieces{"x", "   "}));
  EXPECT_EQ(pieces("x  1"), (Pieces{"x", "  ", "1"}));
  EXPECT_EQ(pieces("für"), (Pieces{"f", "ü", "r"}));
  EXPECT_EQ(pieces("你好 a"), (Pieces{"你好", " a"}));
}

TEST(PreTokenize, DigitsAloneOrInRuns) {
  EXPECT_EQ(pieces("42½"), (Pieces{"4", "2", "½"}));
  EXPECT_EQ(pieces("42½", DigitSplit::kNumericRuns), (Pieces{"42½"}));
  EXPECT_EQ(pieces("42", DigitSplit::kPropertyNRuns), (Pieces{"42"}));
  // A digit of Unicode 17, which the regex engine does not know yet.
  EXPECT_EQ(pieces("\U00011DE5\U00011DE5"), (Pieces{"\U00011DE5", "\U00011DE5"}));
  EXPECT_EQ(pieces("\U00011DE5\U00011DE5", DigitSplit::kEachPropertyN),
            (Pieces{"\U00011DE5\U00011DE5"}));
}

TEST(Unicode, FindsTheFirstIllFormedByte) {
  EXPECT_FALSE(invalid_utf8("plain \xE2\x82\xAC \xF4\x8F\xBF\xBF"));
  EXPECT_EQ(invalid_utf8("ab\x80"), 2u);
  EXPECT_EQ(invalid_utf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(invalid_utf8("a\xED\xA0\x80"), 1u);     // surrogate
  EXPECT_EQ(invalid_utf8("\xF4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(invalid_utf8("abc\xE2\x82"), 3u);       // cut short
  EXPECT_EQ(invalid_utf8(std::string_view("\0\xFF", 2)), 1u);
}

TEST(Unicode, ReplacesEachMaximalIllFormedPart) {
  EXPECT_EQ(replace_invalid_utf8("a\xE2\x82"), "a\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid_utf8("\xF8\xFF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82z"), "\xEF\xBF\xBDz");
}

TEST(Unicode, EveryCodepointSurvivesEncoding) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    append_utf8(text, code);
    ASSERT_FALSE(invalid_utf8(text));
    ASSERT_EQ(codepoint_at(text, 0), code);
    ASSERT_EQ(utf8_length(text[0]), text.size());
  }
}

TEST(Unicode, StripsAsPythonDoes) {
  EXPECT_EQ(python_strip("\x1C\t a b\xC2\xA0\xE2\x80\xA8\x1F"), "a b");
  EXPECT_EQ(python_strip("\xE2\x80\x8B x"), "\xE2\x80\x8B x");  // a zero-width space is kept
  EXPECT_EQ(python_strip(" \n"), "");
}

TEST(ByteAlphabet, EveryByteHasALetterOfItsOwn) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string letter;
    append_utf8(letter, letter_of_byte(static_cast<uint8_t>(byte)));
    EXPECT_EQ(bytes_of_letters(letter), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(letter_of_byte(' '), U'Ġ');
  EXPECT_EQ(letter_of_byte('\n'), U'Ċ');
  EXPECT_FALSE(bytes_of_letters("a b"));
  EXPECT_FALSE(bytes_of_letters("▁"));
}

}  // namespace
}  // namespace bifrons
