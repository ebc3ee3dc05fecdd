// Output of `bifrons bench` in the form that scripts read (tools/gpu_check/report.py).
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/cli/run_program.h"
#include "tests/support/golden.h"

namespace bifrons::testing {
namespace {

TEST(BenchCommand, NamesWholePicturesAndTheirSteps) {
  const Outcome outcome =
      run_bifrons({"bench", "-q", "-m", golden::directory() + "toy-hf", "-t", "1", "--only",
                   "draw,vq", "--pictures", "1,4", "--whole", "--repeats", "1", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_TRUE(report.at("skipped").empty());
  std::vector<std::string> names;
  for (const auto& row : report.at("rows")) names.push_back(row.at("name"));
  EXPECT_EQ(names,
            (std::vector<std::string>{"1 picture", "drawing step, 1 picture", "4 pictures at once",
                                      "drawing step, 4 pictures", "VQ decode 8x8",
                                      "  its convolutions", "  its group norms"}));
  EXPECT_GT(report["rows"][2].at("codes_per_second"), 0);
}

// 15 of the 16 codes of a picture do not come from prefill.
TEST(BenchCommand, SpeculationSavesPassesAndTellsWhenItPays) {
  const Outcome outcome = run_bifrons({"bench", "-q", "-m", golden::directory() + "toy-hf", "-t",
                                       "1", "--only", "speculate", "--repeats", "1", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_TRUE(report.at("skipped").empty());
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : report.at("rows")) rows[row.at("name")] = row;
  ASSERT_EQ(rows.size(), report.at("rows").size()) << report;
  EXPECT_FALSE(rows.at("pass, 1 column").contains("break_even_codes"));
  for (const std::string width : {"2", "4", "8"}) {
    const auto& row = rows.at("pass, " + width + " columns");
    EXPECT_GT(row.at("break_even_codes"), 0);
    EXPECT_EQ(row.at("ratio_to"), "pass, 1 column");
    EXPECT_GT(row.at("bytes"), rows.at("pass, 1 column").at("bytes"));
  }
  EXPECT_EQ(rows.at("picture, plain").at("passes"), 15);
  EXPECT_EQ(rows.at("picture, plain").at("codes_per_pass"), 1);
  EXPECT_LE(rows.at("picture, speculate auto").at("passes"), 15);
  for (const std::string width : {"4", "8"}) {
    const auto& row = rows.at("picture, speculate " + width);
    EXPECT_LT(row.at("passes"), 15);
    EXPECT_DOUBLE_EQ(row.at("passes").get<double>() * row.at("codes_per_pass").get<double>(), 15);
    EXPECT_EQ(row.at("ratio_to"), "picture, plain");
  }
}

}  // namespace
}  // namespace bifrons::testing
