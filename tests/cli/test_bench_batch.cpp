// `bifrons bench batch`: every number of lanes draws the same pictures, and no lanes are wasted.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {
namespace {

const std::string kToy = golden::directory() + "toy-hf";  // 16 codes a picture

Outcome bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"bench", "batch", "-q", "-m", kToy, "-t", "1"});
  return run_bifrons(arguments);
}

TEST(BenchBatch, CountsLaneStepsAndSharedPrompts) {
  const TemporaryDirectory directory;
  directory.write("prompts.tsv", "a cat\tAnimals\na house by the sea\tOutdoor\n\n");
  const Outcome outcome = bench({"--batch", "1,4", "--pictures", "10", "--repeats", "1", "--json",
                                 "--prompts", (directory / "prompts.tsv").string()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(report.at("rows").size(), 2u);
  const auto &one = report["rows"][0], &four = report["rows"][1];
  EXPECT_EQ(one.at("lanes"), 1);
  EXPECT_EQ(one.at("pictures"), 10);
  EXPECT_EQ(one.at("steps"), 10 * 15);
  EXPECT_EQ(one.at("idle_lane_steps"), 0);
  EXPECT_EQ(four.at("steps"), 3 * 15);
  EXPECT_EQ(four.at("idle_lane_steps"), 2 * 15) << "two pictures are left for four lanes";
  EXPECT_GT(four.at("shared_rows"), 0);
}

TEST(BenchBatch, DecodesBesideDrawingToTheSamePictures) {
  for (const char* where : {"between", "beside"}) {
    const Outcome outcome =
        bench({"--batch", "3", "--pictures", "5", "--repeats", "2", "--decode", where});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("pictures/s"), std::string::npos);
  }
}

TEST(BenchBatch, MeasuresWhatDurabilityCosts) {
  const TemporaryDirectory directory;
  const Outcome outcome = bench({"--batch", "2", "--pictures", "4", "--repeats", "1", "--json",
                                 "--durability", directory.path().string()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto kept = nlohmann::json::parse(outcome.out).at("durability");
  EXPECT_EQ(kept.at("pictures"), 4);
  EXPECT_EQ(kept.at("lanes"), 2);
  const double plain = kept.at("plain_seconds"), durable = kept.at("durable_seconds");
  EXPECT_GT(plain, 0);
  EXPECT_NEAR(kept.at("percent").get<double>(), 100 * (durable / plain - 1), 1e-6);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "it cleans up";
}

TEST(BenchBatch, SaysWhatIsWrong) {
  EXPECT_EQ(bench({"--batch", "1", "--pictures", "1", "--durability", "/nowhere/at/all"}).exit_code,
            73);
  EXPECT_EQ(bench({"--batch", "0"}).exit_code, 2);
  EXPECT_EQ(bench({"--prompts", "/nowhere/at/all"}).exit_code, 66);
}

}  // namespace
}  // namespace bifrons::testing
