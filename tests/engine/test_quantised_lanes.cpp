// Laws of the continuous batch with quantised weights on every backend: a picture is the same
// alone, in lanes and in windows of speculative decoding.
#include <gtest/gtest.h>

#include <vector>

#include "tests/engine/quantised_toy.h"
#include "tests/support/under_test.h"

namespace bifrons {
namespace {

class QuantisedLanes : public ::testing::TestWithParam<LinearFormat> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  }
};

// Fewer columns than 16 and more: a device has other kernels for them.
TEST_P(QuantisedLanes, LanesAndWindowsChangeNoPicture) {
  struct LanesAndWidth {
    int64_t lanes, width;
  };
  const bool emulated = testing::backend_is_emulated();
  const auto trials = emulated ? std::vector<LanesAndWidth>{{2, 5}}
                               : std::vector<LanesAndWidth>{{1, 2}, {3, 1}, {3, 5}, {7, 16}};
  const uint64_t pictures = emulated ? 2 : 8;
  const auto backend = testing::backend_under_test();
  testing::LaneToy toy = testing::quantised_toy(*backend, GetParam(), emulated ? 1 : 2);
  std::map<uint64_t, std::vector<int32_t>> alone;
  for (uint64_t id = 0; id < pictures; ++id) alone[id] = toy.alone(toy.picture(id));
  for (const auto& [lanes, width] : trials) {
    EXPECT_EQ(testing::draw_in_lanes(toy, pictures, lanes, width, true), alone)
        << lanes << " lanes, width " << width;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantisedLanes,
                         ::testing::Values(LinearFormat::kInt8, LinearFormat::kInt4),
                         [](const auto& format) { return std::string(name_of(format.param)); });

}  // namespace
}  // namespace bifrons
