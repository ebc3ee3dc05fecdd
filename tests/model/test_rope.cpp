// RoPE frequencies compared with the values of docs/janus-pro.md 4.5.
#include <gtest/gtest.h>

#include <cmath>

#include "src/model/rope.h"

namespace bifrons {
namespace {

TEST(Rope, FrequenciesAreThePowersOfTheta) {
  const auto f = inverse_frequencies(10000.0, 128, false);
  ASSERT_EQ(f.size(), 64u);
  for (size_t i = 0; i < f.size(); ++i) {
    const double exact = std::pow(10000.0, -2.0 * static_cast<double>(i) / 128.0);
    EXPECT_NEAR(f[i] / exact, 1.0, 4e-7) << i;
  }
}

TEST(Rope, Bf16FrequenciesAreTheOnesOfTheOriginalScripts) {
  const auto f = inverse_frequencies(10000.0, 128, true);
  const float published[] = {1.0f, 0.8671875f, 0.75f, 0.6484375f, 0.5625f, 0.486328125f};
  for (size_t i = 0; i < std::size(published); ++i) EXPECT_EQ(f[i], published[i]) << i;
}

TEST(Rope, TablesAreRoundedToTheActivation) {
  const auto f = inverse_frequencies(10000.0, 8, false);
  const RopeValues full = rope_values(f, 5, DType::kF32);
  const RopeValues half = rope_values(f, 5, DType::kBf16);
  for (size_t i = 0; i < full.cos.size(); ++i) {
    EXPECT_EQ(half.cos[i], round_to_bf16(full.cos[i]));
    EXPECT_EQ(half.sin[i], round_to_bf16(full.sin[i]));
  }
  EXPECT_EQ(full.cos[0], 1.0f);
  EXPECT_NEAR(full.sin[3 * 4 + 0], std::sin(3.0), 1e-6);
}

}  // namespace
}  // namespace bifrons
