// `bifrons bench` on a device: whole pictures, and a GPU without memory for some of them.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include "src/weights/checkpoint.h"
#include "tests/support/golden.h"
#include "tests/support/under_test.h"
#include "tools/bench/measure.h"

namespace bifrons {
namespace {

// Restores the simulated machine.
class Bench : public ::testing::Test {
 protected:
  ~Bench() override { cuda_on_cpu::machine() = {}; }

  BenchReport measured(const BenchOptions& options) const {
    return measure(*b, *model, options, [] { return 10.0; });
  }

  const std::string directory = golden::directory() + "toy-f32";
  const std::unique_ptr<Backend> b = testing::backend_under_test();
  const std::unique_ptr<Model> model =
      load_model(*b, read_config(directory), Checkpoint::open(directory), directory);
};

TEST_F(Bench, DrawsWholePicturesThatFit) {
  BenchOptions options;
  options.model = directory;
  options.repeats = 1;
  options.decode = options.prefill = options.vq = options.speculate = false;
  options.pictures = {1};
  const BenchReport all = measured(options);
  ASSERT_EQ(all.rows.size(), 2u);
  EXPECT_EQ(all.rows[0].name, "1 picture");
  EXPECT_EQ(all.rows[1].name, "drawing step, 1 picture");

  // Memory for one picture of this model, but not for 256.
  const int64_t total = cuda_on_cpu::machine().memory;
  cuda_on_cpu::machine().memory = total - *b->free_bytes() + (int64_t{4} << 20);
  options.pictures = {256, 1};
  const BenchReport some = measured(options);
  ASSERT_EQ(some.skipped.size(), 1u);
  EXPECT_TRUE(some.skipped[0].starts_with("256 pictures: not enough memory")) << some.skipped[0];
  ASSERT_EQ(some.rows.size(), 2u);
  EXPECT_EQ(some.rows[1].bytes, all.rows[1].bytes);
}

// A device decodes several pictures in a pass; our own kernels give them their own bits.
TEST_F(Bench, DecodesSeveralPicturesInAPass) {
  BenchOptions options;
  options.model = directory;
  options.repeats = 1;
  options.decode = options.draw = options.prefill = options.speculate = false;
  const BenchReport report = measured(options);
  ASSERT_EQ(report.rows.size(), 6u);
  EXPECT_FALSE(report.rows[0].same_bits.has_value());
  for (int64_t n = 2; n <= 4; ++n) {
    const BenchRow& row = report.rows[static_cast<size_t>(n) + 1];
    EXPECT_EQ(row.name, "VQ decode 4x4, " + std::to_string(n) + " in a pass");
    EXPECT_EQ(row.same_bits, true);
    EXPECT_EQ(row.flops, n * report.rows[0].flops);
    EXPECT_GT(row.ratio, 0);
  }
}

// A device has no automatic windows.
TEST_F(Bench, SpeculatesOnADevice) {
  BenchOptions options;
  options.model = directory;
  options.repeats = 1;
  options.decode = options.draw = options.prefill = options.vq = false;
  options.whole = true;
  const BenchReport report = measured(options);
  EXPECT_TRUE(report.skipped.empty()) << report.skipped[0];
  std::vector<std::string> names;
  for (const BenchRow& row : report.rows) names.push_back(row.name);
  EXPECT_EQ(names, (std::vector<std::string>{"pass, 1 column", "pass, 2 columns", "pass, 4 columns",
                                             "pass, 8 columns", "picture, plain",
                                             "picture, speculate 4", "picture, speculate 8"}));
}

}  // namespace
}  // namespace bifrons
