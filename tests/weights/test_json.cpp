// Untrusted JSON: refusals before and after parsing, and checked access.
#include <gtest/gtest.h>

#include "src/io/json.h"
#include "tests/weights/cpu_time.h"
#include "tests/weights/expect_error.h"

namespace bifrons {
namespace {

using testing::cpu_seconds_of;
using testing::expect_contains;
using testing::refusal_of;

Json parse(std::string_view text, const JsonLimits& limits = {}) {
  return Json::parse(text, "\"f.json\"", limits);
}

TEST(Json, HoldsValues) {
  const Json root = parse(R"({"z":[1,-2,0.5,"s\n",true,null],"a":{"b":18446744073709551615}})");
  const auto items = root.find("z")->items("z");
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(items[0].unsigned_integer("z"), 1);
  EXPECT_EQ(items[1].real("z"), -2.0);
  EXPECT_EQ(items[2].real("z"), 0.5);
  EXPECT_EQ(items[3].text("z"), "s\n");
  EXPECT_TRUE(items[4].boolean("z"));
  EXPECT_TRUE(items[5].is_null());
  EXPECT_EQ(root.find("nothing"), nullptr);
  EXPECT_EQ(items[0].find("b"), nullptr);
  EXPECT_EQ(root.members("root")[0].first, "z");  // file order
  expect_contains(refusal_of([&] { root.find("a")->find("b")->unsigned_integer("\"f\": b"); }),
                  "\"f\": b is 18446744073709551615, which is too large");
}

TEST(Json, IntegersHaveDigitsOnly) {
  for (const char* text : {"-0", "-1", "1.0", "1e3", "true", "null", "\"1\"", "[1]", "{}", "1E0",
                           "18446744073709551616", "9223372036854775808"}) {
    const Json value = parse(text);
    refusal_of([&] { value.unsigned_integer("n"); });
  }
  EXPECT_EQ(parse("9223372036854775807").unsigned_integer("n"), INT64_MAX);
  for (const char* text :
       {"01", "+1", "0x10", ".5", "1.", "NaN", "Infinity", "1e999", "--1", "1 2"}) {
    refusal_of([&] { parse(text); });
  }
}

TEST(Json, NumbersThatNoDoubleHoldsAreNamed) {
  expect_contains(refusal_of([] { parse(R"({"a":1e400})"); }),
                  "the number \"1e400\" at byte 5 is too large");
  expect_contains(refusal_of([] { parse("[1, -1e999]"); }),
                  "the number \"-1e999\" at byte 4 is too large");
  parse("[1e-400]");  // 0
}

TEST(Json, NotANumberIsNamed) {
  for (const std::string word : {"NaN", "nan", "Infinity", "-Infinity", "-inf", "inf", "-NaN"}) {
    expect_contains(refusal_of([&] { parse("{\"a\": " + word + "}"); }),
                    "\"" + word + "\" at byte 6 is not a JSON number");
    expect_contains(refusal_of([&] { parse(word); }),
                    "\"" + word + "\" at byte 0 is not a JSON number");
  }
  expect_contains(refusal_of([] { parse("[naan]"); }), "not JSON at byte");
  expect_contains(refusal_of([] { parse("[\"NaN"); }), "not JSON at byte");
}

TEST(Json, RefusesNamesThatStandTwice) {
  expect_contains(refusal_of([] { parse(R"({"a":1,"b":2,"a":3})"); }), "\"a\" stands twice");
  expect_contains(refusal_of([] { parse(R"({"x":{"a":1,"\u0061":2}})"); }), "\"a\" stands twice");
  parse(R"({"a":{"a":{"a":1}},"b":{"a":1}})");
}

TEST(Json, RefusesWhatIsNotJson) {
  const std::string nul("{\"a\":1}\0{}", 10);
  for (const std::string& text :
       {std::string(), std::string(" "), std::string("{"), std::string("}"), std::string("[1,]"),
        std::string("{\"a\"}"), std::string("{\"a\":1,}"), std::string("{'a':1}"),
        std::string("[1] x"), std::string("// c\n1"), std::string("\"\x80\""),
        std::string("\"a\nb\""), std::string("\"\\ud800\""), std::string("\"\\x\""),
        std::string("nul"), nul}) {
    expect_contains(refusal_of([&] { parse(text); }), "\"f.json\": ");
  }
}

TEST(Json, RefusesDepthBeforeParsing) {
  parse("[[[1]]]", {100, 3, 100});
  expect_contains(refusal_of([] { parse("[[[[1]]]]", {100, 3, 100}); }), "nested deeper than 3");
  parse(R"(["[[[[[[\"[[[[["])", {100, 1, 100});  // brackets in strings do not count
  for (const char open : {'[', '{'}) {
    const std::string text(10'000'000, open);
    EXPECT_LT(cpu_seconds_of([&] { refusal_of([&] { parse(text); }); }), 1);
  }
}

TEST(Json, RefusesTooLargeTexts) {
  expect_contains(refusal_of([] { parse("[1,2,3]", {6, 3, 100}); }), "7 bytes of JSON");
  expect_contains(refusal_of([] { parse("[1,2,3]", {100, 3, 3}); }), "too many values");
  parse("[1,2,3]", {7, 1, 4});
}

TEST(Json, TimeIsLinearInMembers) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  text.back() = '}';
  Json root;
  EXPECT_LT(cpu_seconds_of([&] { root = parse(text); }), 5);
  for (int i = 0; i < 200'000; i += 7) ASSERT_NE(root.find("k" + std::to_string(i)), nullptr);
}

}  // namespace
}  // namespace bifrons
