// `bifrons quantize` and `--weights`: what they say, write and refuse.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/models_fixture.h"

namespace bifrons::testing {
namespace {

class Quantize : public Models {
 protected:
  static std::string storybook() {
    return std::string(BIFRONS_SOURCE_DIR) + "/samples/models/storybook";
  }
  // The codes of a picture and the type of its weights.
  struct Drawn {
    std::string tokens, dtype;
  };
  Drawn drawn(std::vector<std::string> options) const {
    std::vector<std::string> words{"generate", "a red circle", "-s",           "1",     "-o",
                                   "q.png",    "-y",           "--tokens-out", "t.json"};
    words.insert(words.end(), options.begin(), options.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto tokens = nlohmann::json::parse(scratch_.read("t.json"));
    const auto info = nlohmann::json::parse(run({"info", "--json", "q.png"}).out);
    return {tokens.at("tokens").dump(), info.dump()};
  }
};

TEST_F(Quantize, WritesAModelThatDrawsAsWeightsDo) {
  for (const char* type : {"int8", "int4"}) {
    const std::string to = std::string("small-") + type;
    const Outcome made = run({"quantize", "-m", storybook(), "-o", to, "--type", type});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    EXPECT_EQ(made.out, to + "\n");
    EXPECT_NE(made.err.find(std::string(type) + " now"), std::string::npos) << made.err;
    const Drawn from_files = drawn({"-m", to});
    const Drawn while_loading = drawn({"-m", storybook(), "--weights", type});
    EXPECT_EQ(from_files.tokens, while_loading.tokens);
    for (const Drawn& one : {from_files, while_loading}) {
      EXPECT_NE(one.dtype.find(type), std::string::npos) << one.dtype;
    }
    EXPECT_EQ(run({"verify", "-m", to}).exit_code, 0);
    EXPECT_NE(run({"inspect", "-m", to}).out.find("weight_scale"), std::string::npos);
    EXPECT_EQ(run({"doctor", "-m", to}).exit_code, 0);
    EXPECT_EQ(run({"quantize", "-m", to, "-o", "again", "--type", type}).exit_code, 65);
    EXPECT_FALSE(fs::exists(scratch_ / "again"));
  }
}

TEST_F(Quantize, TheEnvironmentStandsForTheOption) {
  variables_["BIFRONS_MODEL"] = storybook();
  variables_["BIFRONS_WEIGHTS"] = "int4";
  const std::string tokens = drawn({}).tokens;
  EXPECT_NE(tokens, drawn({"--weights", "stored"}).tokens);
  variables_["BIFRONS_WEIGHTS"] = "";
  EXPECT_EQ(tokens, drawn({"--weights", "int4"}).tokens);
  variables_["BIFRONS_WEIGHTS"] = "int3";
  const Outcome refused = run({"generate", "a fox"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("BIFRONS_WEIGHTS takes stored, int8, int4, not \"int3\""),
            std::string::npos)
      << refused.err;
}

TEST_F(Quantize, RefusesWhatItCannotWrite) {
  fs::create_directory(scratch_ / "full");
  scratch_.write("full/mine", "mine");
  const auto refused = [&](const std::string& to, const std::string& type) {
    return run({"quantize", "-m", storybook(), "-o", to, "--type", type});
  };
  EXPECT_EQ(refused("full", "int8").exit_code, 2);
  EXPECT_EQ(refused("new", "int2").exit_code, 2);
  EXPECT_EQ(refused("no/such/place", "int8").exit_code, 73);
  EXPECT_EQ(run({"quantize", "-m", storybook(), "-o", "new"}).exit_code, 2);
  EXPECT_EQ(run({"quantize", "-m", "nowhere", "-o", "new", "--type", "int8"}).exit_code, 66);
  copy("toy-f32", "toy");
  const Outcome odd = run({"quantize", "-m", "toy", "-o", "new", "--type", "int4"});
  EXPECT_EQ(odd.exit_code, 65);
  EXPECT_NE(odd.err.find("which do not divide into groups of 32"), std::string::npos) << odd.err;
  EXPECT_FALSE(fs::exists(scratch_ / "new"));
  EXPECT_EQ(scratch_.read("full/mine"), "mine");
}

// Pictures of other weights are not taken for done.
TEST_F(Quantize, ABatchWithOtherWeightsIsDrawnAgain) {
  scratch_.write("p.txt", "a red circle\n");
  const auto batch = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"batch", "p.txt", "-o", "out", "-m", storybook()};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  batch({"--weights", "int4"});
  EXPECT_NE(batch({"--weights", "int4", "--dry-run"}).find("done        1\n"), std::string::npos);
  for (const char* other : {"stored", "int8"}) {
    const std::string plan = batch({"--weights", other, "--dry-run"});
    EXPECT_NE(plan.find("to draw     1, of them changed 1\n"), std::string::npos) << plan;
  }
}

}  // namespace
}  // namespace bifrons::testing
