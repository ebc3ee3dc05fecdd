// `bifrons bench` as scripts read it (tools/gpu_check/report.py).
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace bifrons::testing
