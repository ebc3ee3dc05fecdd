// UTF-8, slugs, numbers and the progress line.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/error.h"
#include "kernels/utf8.h"
#include "src/io/fnv1a.h"
#include "src/io/text.h"
#include "tests/weights/expect_error.h"
#include "tools/bifrons/progress_bar.h"

namespace bifrons::testing {
namespace {

using namespace cli;

TEST(Text, FindsTheFirstByteThatIsNotUtf8) {
  for (std::string_view good : {"", "fox", "\xc3\xa9", "\xe7\x8c\xab", "\xf0\x9f\xa6\x8a",
                                "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_FALSE(invalid_utf8(good)) << good;
  }
  for (std::string_view bad :
       {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe7\x8c",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe7\x8c\x2e"}) {
    EXPECT_EQ(invalid_utf8(std::string("ab") + std::string(bad)), 2u);
  }
}

// Test vectors of the FNV reference code.
TEST(Text, Fnv1a) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(fnv1a("bar", fnv1a("foo")), fnv1a("foobar"));
}

TEST(Text, LowerCaseKnowsAsciiAlone) {
  EXPECT_EQ(lower_case("@AZ[`az{ \xc3\x84 9"), "@az[`az{ \xc3\x84 9");
}

TEST(Text, TrimmedTakesBlanksOffBothEnds) {
  EXPECT_EQ(trimmed(" \t\r\na b\n "), "a b");
  EXPECT_EQ(trimmed("\na \n", " "), "\na \n");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Text, NearestWord) {
  const std::vector<std::string_view> ops = {"generate", "decode", "info", "bench"};
  EXPECT_EQ(nearest("genrate", ops), "generate");
  EXPECT_EQ(nearest("decoed", ops), "decode");
  EXPECT_EQ(nearest("inof", ops), "info");
  EXPECT_EQ(nearest("elephant", ops), "");
  EXPECT_EQ(nearest("x", ops), "");
  EXPECT_EQ(nearest(std::string(1000000, 'x'), ops), "");
}

TEST(Text, Slugs) {
  EXPECT_EQ(slug("A fox, in the SNOW!"), "a-fox-in-the-snow");
  EXPECT_EQ(slug("../../etc/passwd"), "etc-passwd");
  EXPECT_EQ(slug(""), "picture");
  EXPECT_EQ(slug("!?"), "picture");
  EXPECT_EQ(slug(std::string(100, 'a')).size(), 40u);
  EXPECT_EQ(slug(std::string(39, 'a') + " b"), std::string(39, 'a'));
}

TEST(Text, SlugsKeepLettersOfEveryScript) {
  EXPECT_EQ(slug("여우가 눈 속에 있다"), "여우가-눈-속에-있다");
  EXPECT_EQ(slug("ثعلب في الثلج!"), "ثعلب-في-الثلج");
  EXPECT_EQ(slug("Лиса в СНЕГУ"), "лиса-в-снегу");
  EXPECT_EQ(slug("İstanbul, ﬁne Ǆ Ⅷ ٣"), "istanbul-ﬁne-ǆ-ⅷ-٣");
  EXPECT_EQ(slug("e\u0301te\u0301 \u0301x"), "e\u0301te\u0301-x") << "a mark alone goes";
  EXPECT_EQ(slug("हिन्दी में"), "हिन्दी-में");
  EXPECT_EQ(slug("🦊❄\ufe0f"), "picture");
  EXPECT_EQ(slug("a\u202eb\u200bc\u2066d\ufeff"), "abcd");
  EXPECT_EQ(slug("a\xff\xc3"
                 "b"),
            "a-b");
  // At most 40 letters and at most 100 bytes.
  const auto repeated = [](const std::string& letter, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += letter;
    return text;
  };
  EXPECT_EQ(slug(repeated("猫", 50)), repeated("猫", 33));
  EXPECT_EQ(slug(repeated("я", 50)), repeated("я", 40));
  EXPECT_EQ(slug(repeated("e\u0301", 50)), repeated("e\u0301", 33)) << "letters with their marks";
  EXPECT_EQ(slug("ab" + repeated("\u0301", 90)), "a");
  EXPECT_EQ(slug(repeated("\u0301", 90)), "picture");
}

// Slugs of earlier versions. Resuming depends on them.
TEST(Text, FormerSlugs) {
  EXPECT_EQ(former_slug("Café au lait, 雪!"), "caf-au-lait");
  EXPECT_EQ(former_slug("猫"), "picture");
  for (const std::string& ascii :
       {std::string("A fox, in the SNOW!"), std::string(39, 'a') + " b", std::string(100, 'a'),
        std::string("a - b -- c"), std::string("-- 12 x"), std::string(38, 'x') + "  -  yz"}) {
    EXPECT_EQ(slug(ascii), former_slug(ascii)) << ascii;
  }
}

TEST(Text, NumbersAreStrict) {
  EXPECT_EQ(parse_whole("--seed", "18446744073709551615", 0, std::numeric_limits<uint64_t>::max()),
            std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_real("--cfg", "1e1", 0, 100), 10.0);
  EXPECT_EQ(parse_real("--cfg", "0", 0, 100), 0.0);
  EXPECT_FALSE(std::signbit(parse_real("--cfg", "-0", 0, 100)));
  EXPECT_EQ(parse_real("--cfg", "1e-400", 0, 100), 0.0);
  EXPECT_EQ(parse_real("--temp", "4.9e-324", 0, 100), 4.9e-324);
  for (const std::string text :
       {"", " 1", "1 ", "+1", "-1", "0x1", "1.0.0", "nan", "inf", "1e999", "101", "one", "1,5"}) {
    EXPECT_THROW(parse_real("--cfg", text, 0, 100), Error) << text;
    EXPECT_THROW(parse_whole("--count", text, 1, 100), Error) << text;
  }
  EXPECT_THROW(parse_real("--top-p", "0", 0, 1, true), Error);
  EXPECT_THROW(parse_real("--top-p", "1e-400", 0, 1, true), Error);
  EXPECT_EQ(testing::refusal_of([] { parse_real("cfg", "", 0, 100); }, ErrorKind::kUsage),
            "cfg has an empty value; it takes a number from 0 to 100");
  try {
    parse_whole("--count", "0", 1, 9999);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_STREQ(error.what(), "--count takes a whole number from 1 to 9999, not \"0\"");
  }
}

TEST(ProgressLine, SpeaksTqdm) {
  EXPECT_EQ(progress_line(242, 576, 2, 112.4, 52),
            " 42%|####      | 242/576 [00:02<00:03, 112.4 tok/s]");
  EXPECT_EQ(progress_line(0, 576, 0, 0, 42), "  0%|          | 0/576 [00:00<?, ? tok/s]");
  EXPECT_NE(progress_line(576, 576, 4000, 0.1, 80).find("[1:06:40<00:00"), std::string::npos);
}

TEST(ProgressLine, FitsAnyTerminal) {
  for (int columns = 1; columns < 200; ++columns) {
    EXPECT_LT(progress_line(3, 9, 1, 1, columns).size(), static_cast<size_t>(columns));
  }
  EXPECT_EQ(progress_line(0, 0, 0, 0, 80).substr(0, 5), "  0%|");
}

}  // namespace
}  // namespace bifrons::testing
