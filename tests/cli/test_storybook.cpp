// The model in this repository with both its halves: it draws pictures, encodes them, describes
// them and judges them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

const std::string kModel = std::string(BIFRONS_SOURCE_DIR) + "/samples/models/storybook";

class Storybook : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kModel)) GTEST_SKIP() << "this checkout has no storybook model";
    for (const char* prompt : {"a fox in the snow", "two red cars on the beach"}) {
      const std::string name(1, prompt[0]);
      const Outcome drawn =
          run({"generate", prompt, "-s", "1", "-o", name + ".png", "--tokens-out", name + ".json"});
      ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    }
  }

  Outcome run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin() + 1, {"-m", kModel, "-q"});
    return run_bifrons(arguments, {.directory = scratch_.path()});
  }
  std::vector<int> tokens(const std::string& name) const {
    return nlohmann::json::parse(scratch_.read(name))["tokens"];
  }

  TemporaryDirectory scratch_;
};

TEST_F(Storybook, DescribesWhatItDrew) {
  EXPECT_EQ(run({"describe", "a.png"}).out, "a fox in the snow\n");
  EXPECT_EQ(run({"describe", "t.png"}).out, "two red cars on the beach\n");
}

// The model is often wrong about a prompt that differs in one word. So these prompts differ much.
TEST_F(Storybook, TellsTrueFromFalse) {
  const std::vector<std::string> prompts = {"a fox in the snow", "two red cars on the beach",
                                            "a rocket above a tree at night",
                                            "three snowmen on a gray background"};
  int right = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    ASSERT_EQ(run({"generate", prompts[i], "-s", "2", "-o", "x.png", "-y"}).exit_code, 0);
    for (size_t j = 0; j < prompts.size(); ++j) {
      const Outcome said = run({"ask", "x.png", "Is it " + prompts[j] + "?"});
      right += said.out == (i == j ? "Yes\n" : "No\n");
    }
  }
  EXPECT_GE(right, 13) << "of 16; saying always the same gives 12 at most";
}

TEST_F(Storybook, TakesItsDrawingsApart) {
  for (const std::string name : {"a", "t"}) {
    ASSERT_EQ(run({"encode", name + ".png", "-o", name + "-again.json"}).exit_code, 0);
    const std::vector<int> drawn = tokens(name + ".json"), found = tokens(name + "-again.json");
    ASSERT_EQ(drawn.size(), found.size());
    int same = 0;
    for (size_t i = 0; i < drawn.size(); ++i) same += drawn[i] == found[i];
    EXPECT_GE(same, 58) << name
                        << ": of 64 codes; the decoder's pixels are not quite the teacher's";
  }
}

}  // namespace
}  // namespace bifrons::testing
