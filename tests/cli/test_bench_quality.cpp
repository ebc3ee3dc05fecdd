// `bifrons bench quality`: equal settings are exactly equal, others are told apart, and what a
// setting may name is said.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

const std::string kQualityToy = golden::directory() + "toy-hf";  // 16 codes a picture

Outcome quality(std::vector<std::string> arguments, const std::string& model = kQualityToy) {
  arguments.insert(arguments.begin(), {"bench", "quality", "-q", "-m", model, "--device", "cpu"});
  return run_bifrons(arguments);
}

TEST(BenchQuality, TellsEqualSettingsFromOthers) {
  const TemporaryDirectory directory;
  directory.write("prompts.txt", "a cat\na house by the sea\n");
  const std::vector<std::string> asked{
      "--against",  "rope=f32", "--against", "rope=bf16,model=" + kQualityToy,
      "--pictures", "5",        "--seed",    "7",
      "--cfg",      "3",        "--prompts", (directory / "prompts.txt").string(),
      "--json"};
  const Outcome outcome = quality(asked);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report.at("pictures"), 5);
  EXPECT_EQ(report.at("seed"), 7);
  EXPECT_EQ(report.at("guidance"), 3);
  EXPECT_EQ(report.at("image_tokens"), 16);
  EXPECT_EQ(report.at("weights_dtype"), "bf16");
  ASSERT_EQ(report.at("rows").size(), 2u);
  const auto &same = report["rows"][0], &other = report["rows"][1];
  EXPECT_EQ(same.at("against"), "rope=f32");
  EXPECT_EQ(same.at("draws"), 5 * 16);
  EXPECT_EQ(same.at("largest_kl"), 0);
  EXPECT_EQ(same.at("changed_draws"), 0);
  EXPECT_EQ(same.at("equal_pictures"), 5);
  EXPECT_TRUE(same.at("mean_first_changed").is_null());
  EXPECT_GT(other.at("mean_kl"), 0);
  EXPECT_LE(other.at("percentile_99_kl"), other.at("largest_kl"));

  std::vector<std::string> threads = asked;
  threads.insert(threads.end(), {"-t", "3"});
  auto again = nlohmann::json::parse(quality(threads).out);
  again["device"] = report["device"];
  EXPECT_EQ(again, report) << "the same numbers on any number of threads";
}

TEST(BenchQuality, TheTableHasARowForEachSetting) {
  const Outcome outcome = quality({"--against", "rope=bf16", "--pictures", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("2 pictures of 16 codes, guidance 5"), std::string::npos);
  EXPECT_NE(outcome.out.find("\nrope=bf16 "), std::string::npos) << outcome.out;
}

TEST(BenchQuality, SaysWhatIsWrong) {
  const auto says = [](const std::vector<std::string>& arguments, int exit_code,
                       const std::string& part) {
    const Outcome outcome = quality(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  says({"--against", "bits=4"}, 2, "there are model=, device=, rope=, weights=, kv=");
  says({"--against", ""}, 2, "--against was given an empty value");
  says({"--against", "rope=bf16,"}, 2, "there are model=, device=, rope=, weights=, kv=");
  says({"--against", "rope=f64"}, 2, "rope takes f32 or bf16, not \"f64\"");
  says({"--against", "model="}, 2, "model takes a directory");
  says({"--against", "model=/nowhere/at/all"}, 66, "/nowhere/at/all");
  says({"--against", "rope=f32", "--prompts", "/nowhere/at/all"}, 66, "/nowhere/at/all");
  says({"--against", "rope=f32", "--pictures", "0"}, 2, "--pictures");
  says({"--against", "rope=f32", "--cfg", "1e9"}, 2, "");
  says({"--against", "model=" + golden::directory() + "wide-head"}, 2, "cannot be compared");
  EXPECT_EQ(quality({"--against", "rope=f32"}, "/nowhere/at/all").exit_code, 66);
}

}  // namespace
}  // namespace bifrons::testing
