// quote(): text cannot leave its line, and cannot hide or reorder other text in a terminal.
#include <gtest/gtest.h>

#include "src/io/quote.h"

namespace bifrons {
namespace {

TEST(Quote, KeepsReadableText) {
  EXPECT_EQ(quote(""), "\"\"");
  EXPECT_EQ(quote("a cat"), "\"a cat\"");
  EXPECT_EQ(quote("Grüße, 猫 🐈"), "\"Grüße, 猫 🐈\"");
}

TEST(Quote, EscapesControlAndBidiCharacters) {
  EXPECT_EQ(quote("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quote("a\nb\tc\rd"), R"("a\nb\tc\rd")");
  EXPECT_EQ(quote("\x1b[31mred\x7f"), R"("\x1b[31mred\x7f")");
  EXPECT_EQ(quote(std::string_view("\0", 1)), R"("\x00")");
  EXPECT_EQ(quote("\u009b"), R"("\u009b")");                  // C1
  EXPECT_EQ(quote("\u202egpj.exe"), R"("\u202egpj.exe")");    // right-to-left override
  EXPECT_EQ(quote("a\u200bb\ufeff"), R"("a\u200bb\ufeff")");  // zero-width
  EXPECT_EQ(quote("\u2028"), R"("\u2028")");                  // line separator
  EXPECT_EQ(quote("\U000e0041"), R"("\U000e0041")");          // tag character
}

TEST(Quote, EscapesInvalidUtf8ByteByByte) {
  EXPECT_EQ(quote("\xff"), R"("\xff")");
  EXPECT_EQ(quote("\xc0\xaf"), R"("\xc0\xaf")");                  // overlong
  EXPECT_EQ(quote("\xed\xa0\x80"), R"("\xed\xa0\x80")");          // surrogate
  EXPECT_EQ(quote("\xf4\x90\x80\x80"), R"("\xf4\x90\x80\x80")");  // above U+10FFFF
  EXPECT_EQ(quote("a\xe7\x8c"), R"("a\xe7\x8c")");                // truncated
}

TEST(Quote, QuoteIfNeededKeepsPlainText) {
  EXPECT_EQ(quote_if_needed("model-00001.bin"), "model-00001.bin");
  EXPECT_EQ(quote_if_needed("猫 é.png"), "猫 é.png");
  EXPECT_EQ(quote_if_needed(std::string(1000, 'a')), std::string(1000, 'a'));
  EXPECT_EQ(quote_if_needed("a\u202eb"), R"("a\u202eb")");
  EXPECT_EQ(quote_if_needed("a\nb"), R"("a\nb")");
  EXPECT_EQ(quote_if_needed(""), R"("")");
}

TEST(Quote, PlainJsonKeepsStrings) {
  EXPECT_EQ(plain_json("{\n  \"é猫\": \"\\u001b\"\n}\n"), "{\n  \"é猫\": \"\\u001b\"\n}\n");
  EXPECT_EQ(plain_json("\"\u202e\x7f\u009b\""), R"("\u202e\u007f\u009b")");
  EXPECT_EQ(plain_json("\"\U000e0041\""), R"("\udb40\udc41")");
  EXPECT_EQ(plain_json("\"a\xff\""), "\"a\ufffd\"");
}

TEST(Quote, CutsLongText) {
  EXPECT_EQ(quote(std::string(10, 'a'), 12), "\"aaaaaaaaaa\"");
  EXPECT_EQ(quote(std::string(11, 'a'), 12), "\"aaaaaaaaa…\"");
  EXPECT_EQ(quote("猫猫猫猫", 8), "\"猫猫…\"");
  EXPECT_EQ(quote(std::string(1000, '\n'), 9), "\"\\n\\n\\n…\"");
  EXPECT_EQ(quote("abc", 0), "\"…\"");
}

}  // namespace
}  // namespace bifrons
