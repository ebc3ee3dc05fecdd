// Styles of thinking are data: built in, in files, of a directory. Boxes in thoughts are read.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "kernels/error.h"
#include "src/think.h"
#include "tests/support/temporary_directory.h"

namespace bifrons {
namespace {

std::string style_refusal(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ThoughtStyles, TheBuiltInOnesAreWholeAndSurviveJson) {
  EXPECT_EQ(thought_styles(),
            (std::vector<std::string>{"t2i-r1", "reasongen-r1", "got-r1", "janus-pro-r1"}));
  for (const std::string& name : thought_styles()) {
    const ThoughtStyle style = thought_style(name);
    EXPECT_EQ(parse_thought_style(thought_style_json(style), "again"), style);
  }
  EXPECT_NE(style_refusal([] { thought_style("got-r2"); }).find("got-r1"), std::string::npos);
}

TEST(ThoughtStyles, AFileIsReadStrictly) {
  const auto said = [](const std::string& json) {
    return style_refusal([&] { parse_thought_style(json, "my.json"); });
  };
  const std::string good =
      R"("name":"x","ask":"{prompt}","same_sequence":true,"stop":["<begin_of_image>"])";
  EXPECT_EQ(said("{" + good + "}"), "accepted");
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"[", "my.json"},
      {"[]", "not an object"},
      {"{" + good + R"(,"asks":"")" + "}", "\"asks\" is not a key of a style"},
      {"{" + good + R"(,"draw":"{prompt} {thought}")" + "}", "one of them"},
      {"{" + good + R"(,"top_k":-1)" + "}", "top_k"},
      {"{" + good + R"(,"temperature":-0.5)" + "}", "temperature must be from 0 to 100"},
      {"{" + good + R"(,"temperature":"hot")" + "}", "temperature"},
      {"{" + good + R"(,"max_tokens":0)" + "}", "at least 1"},
      {"{" + good + R"(,"max_tokens":99999)" + "}", "from 0 to 16384"},
      {"{" + good + R"(,"user":"")" + "}", "user is empty"},
      {"{" + good + R"(,"added_tokens":["a","a"])" + "}", "\"a\" twice"},
      {R"({"ask":"{prompt}","same_sequence":true,"stop":["a"]})", "name is missing"},
      {R"({"name":"x","same_sequence":true,"stop":["a"]})", "ask is missing"},
      {R"({"name":"x","ask":"say","same_sequence":true,"stop":["a"]})", "does not hold {prompt}"},
      {R"({"name":"x","ask":"{prompt}","draw":"{prompt}","stop":["a"]})",
       "draw does not hold {thought}"},
      {R"({"name":"x","ask":"{prompt}","draw":"{prompt}{thought}"})", "stop is missing"},
      {R"({"name":"x","ask":"{prompt}","stop":["a"]})", "one of them"},
      {R"({"name":"x","ask":"{prompt}{prompt}","same_sequence":true,"stop":["a"]})", "twice"},
  };
  for (const auto& [json, sentence] : bad) {
    EXPECT_NE(said(json).find(sentence), std::string::npos) << json << ": " << said(json);
  }
}

TEST(ThoughtStyles, ADirectoryHasTheStyleOfItsRecordOrItsName) {
  const testing::TemporaryDirectory scratch;
  const auto style_of = [&](const std::string& name) {
    std::filesystem::create_directories(scratch / name);
    return style_of_model((scratch / name).string()).name;
  };
  EXPECT_EQ(style_of("T2I-R1"), "t2i-r1");
  EXPECT_EQ(style_of("ReasonGen-R1-SFT"), "reasongen-r1");
  EXPECT_EQ(style_of("GoT-R1-1B"), "got-r1");
  EXPECT_EQ(style_of("Janus-Pro-R1-7B"), "janus-pro-r1");
  EXPECT_EQ(style_of("Janus-Pro-7B"), "janus-pro-r1");
  std::ofstream(scratch / "GoT-R1-1B" / "bifrons_think.json")
      << R"({"name":"mine","ask":"{prompt}","same_sequence":true,"stop":["a"]})";
  EXPECT_EQ(style_of("GoT-R1-1B"), "mine");
}

TEST(ThoughtPlans, BoxesAreReadTolerantly) {
  const auto plan = plan_of(
      "A <|obj_start|>vase of flowers<|obj_end|> <|box_start|>(0,60),(997,983)<|box_end|> and "
      "<|box_start|>no numbers<|box_end|> <|obj_start|> cat <|box_start|>[900, 800, 100, "
      "1200]<|box_end|><|box_start|>(-5,1.5),(10,20)<|box_end|> <|box_start|>(1,2),(3,4),(5,6)"
      "<|box_end|> <|obj_start|>end<|obj_end|><|box_start|>(1,2),(3,4)");
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].name, "vase of flowers");
  EXPECT_DOUBLE_EQ(plan[0].top, 0.06);
  EXPECT_DOUBLE_EQ(plan[0].right, 0.997);
  EXPECT_EQ(plan[1].name, "cat");
  EXPECT_DOUBLE_EQ(plan[1].left, 0.1);
  EXPECT_DOUBLE_EQ(plan[1].right, 0.9);
  EXPECT_DOUBLE_EQ(plan[1].bottom, 1);
  EXPECT_EQ(plan[2].name, "cat");
  EXPECT_DOUBLE_EQ(plan[2].left, 0);
  EXPECT_DOUBLE_EQ(plan[2].top, 0.0015);
  EXPECT_EQ(plan[3].name, "end");
  for (const char* none : {"", "<|box_start|>", "<|obj_start|><|obj_end|>", "<|box_end|>(1,2)"}) {
    EXPECT_TRUE(plan_of(none).empty()) << none;
  }
}

}  // namespace
}  // namespace bifrons
