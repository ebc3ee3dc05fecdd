// File names of a batch's pictures: they are valid on every file system. Name patterns are filled
// in from a line.
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "src/prompts/name_rules.h"
#include "src/prompts/picture_name.h"
#include "src/store/manifest.h"

namespace bifrons::testing {
namespace {

std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData) << error.what();
    return error.what();
  }
  return {};
}

TEST(PictureName, PartsThatEveryFileSystemTakes) {
  for (const std::string good :
       {"a", "0000", "a red car and a blue boat_000000", "猫", "여우가 눈 속에", "ثعلب",
        "e\u0301t\u00e9", "Füchschen über Straße", "a.b-c_d",
        "(a) [b] {c} & 'd', #e = 50% + f@g; ~h", "_x", "com10", "console", "100 %d"}) {
    EXPECT_EQ(fault_of_name(good), "") << good;
  }
  EXPECT_EQ(fault_of_name(std::string(255, 'a')), "");
  EXPECT_EQ(fault_of_name(std::string(256, 'a')), "is longer than 255 bytes");
  for (const std::string bad : {"",
                                ".",
                                "..",
                                ".hidden",
                                "-rf",
                                "~x",
                                " a",
                                "a ",
                                "a.",
                                "a. ",
                                "\u3000a",
                                "a\u00a0",
                                "a/b",
                                "a\\b",
                                "a:b",
                                "a*",
                                "a?",
                                "a\"b",
                                "<a",
                                "a>",
                                "a|b",
                                "a!b",
                                "CON",
                                "con",
                                "Con.png",
                                "con .png",
                                "nul.tar.gz",
                                "LPT1",
                                "com¹",
                                "CONIN$",
                                "a\tb",
                                "a\nb",
                                "a\x7f"
                                "b",
                                "a\u0085b",
                                "a\u202eb",
                                "a\u200bb",
                                "a\u2066b",
                                "\ufeffa",
                                "a\u2028b",
                                "\u0301a",
                                "a\xff",
                                "a\xc3",
                                "\xed\xa0\x80"}) {
    EXPECT_NE(fault_of_name(bad), "") << ::testing::PrintToString(bad);
  }
  EXPECT_NE(fault_of_name(std::string("a\0b", 3)), "");
}

TEST(PictureName, PathsStayInside) {
  EXPECT_EQ(fault_of_path("a/b c/ü/d.png"), "");
  for (const std::string bad : {"/tmp/a", "../a", "a/../b", "a//b", "a/", "a/b/c/d/e", "a/./b",
                                "a/CON/b", "a/ b", "a /b", ".bifrons/x"}) {
    EXPECT_NE(fault_of_path(bad), "") << bad;
  }
  EXPECT_TRUE(is_picture_name("猫/a b_000000.PNG"));
  EXPECT_FALSE(is_picture_name("a.txt"));
  EXPECT_FALSE(is_picture_name("../a.png"));
}

TEST(PictureName, PlaceholdersAreFilledIn) {
  PromptLine line;
  line.number = 12;
  line.id = "fox";
  line.extras = {{"Category", "\"World Knowledge\""}, {"n", "7"}, {"a-1", "\"dash\""}};
  const NameSource source{line, "A Fox: \"in\" the/snow.", 42, 5, 3};
  const auto name = [&](const std::string& pattern) { return picture_name(pattern, source); };
  EXPECT_EQ(name("{line-1:05}/samples/{number:04}"), "00011/samples/0003");
  EXPECT_EQ(name("{number}{number:2}{number:02d}{number+1:02}{index}{line}{seed:04}"),
            "303030451"
            "20042");
  EXPECT_EQ(name("{seed:020}-{number:012d}"), "00000000000000000042-000000000003");
  EXPECT_EQ(name("{id}-{slug}"), "fox-a-fox-in-the-snow");
  EXPECT_EQ(name("{prompt}_{number:06}"), "A Fox- -in- the-snow._000003");
  EXPECT_EQ(name("{prompt}/x"), "A Fox- -in- the-snow/x");
  EXPECT_EQ(name("{Category}/{n}/{a-1}"), "World Knowledge/7/dash");
  EXPECT_EQ(name("{{{id}}}"), "{fox}");
  EXPECT_EQ(picture_name("{prompt}", {line, "../..\\\u202e.-~x\n", 0, 0, 0}), "x-")
      << "nothing before the first letter";
}

TEST(PictureName, NumbersTellPicturesApart) {
  for (const std::string pattern :
       {"{number}", "a{number:04}", "{index+1}", "{seed}", "{number-0:3}"}) {
    EXPECT_TRUE(tells_pictures_apart(pattern)) << pattern;
  }
  for (const std::string pattern : {"a", "{id}", "{line}", "{prompt}", "{{number}}"}) {
    EXPECT_FALSE(tells_pictures_apart(pattern)) << pattern;
  }
}

TEST(PictureName, PatternsThatCannotBe) {
  for (const std::string pattern : {"../{id}",
                                    "/{id}",
                                    "{id}/../x",
                                    "{id",
                                    "id}",
                                    "{",
                                    "}",
                                    "{a{b}}",
                                    "{number:}",
                                    "{number:99999999}",
                                    "{number:-4}",
                                    "{number:x}",
                                    "{number:04x}",
                                    "{number:0100}",
                                    "{number:100}",
                                    "%04d",
                                    "a%d",
                                    "a\u202e{id}",
                                    "{id}.",
                                    "{id} ",
                                    "a/{id}/b/c/d",
                                    "{id}//x",
                                    "CON/{id}"}) {
    EXPECT_NE(refusal_of([&] { check_output_name(pattern); }), "") << pattern;
  }
  for (const std::string pattern :
       {"{id}", "con{number}", "a {{b}}", "100%", "{anything at all}"}) {
    EXPECT_EQ(refusal_of([&] { check_output_name(pattern); }), "") << pattern;
  }
}

TEST(PictureName, ValuesThatAreNone) {
  PromptLine line;
  line.number = 1;
  line.extras = {{"list", "[1]"}, {"none", "null"}};
  const NameSource source{line, "a fox", 42, 5, 0};
  for (const std::string pattern :
       {"{id}", "{foo}", "{list}", "{none}", "{}", "{number-1}", "{line-2}", "{prompt:04}",
        "{number+}", "{number+99999999999999999999}", "{Number}", "{ number }"}) {
    EXPECT_NE(refusal_of([&] { picture_name(pattern, source); }), "") << pattern;
  }
  EXPECT_NE(refusal_of([&] { picture_name("{foo}", source); }).find("\"{foo}\" is no column"),
            std::string::npos);
}

}  // namespace
}  // namespace bifrons::testing
