// Philox, Gumbel noise, and the distribution of sampled codes (kernels/sampling.h).
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "kernels/sampling.h"
#include "tests/support/guarded_tensor.h"

namespace bifrons::testing {
namespace {

using Words = std::array<uint32_t, 4>;

// The known-answer vectors published with Random123 (kat_vectors).
TEST(Sampling, PhiloxGivesTheKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // Digits of pi.
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Distance of two numbers in steps of f32 (ulp).
double steps_apart(float got, double expected) {
  const int exponent = std::max(std::ilogb(expected), -126);
  return std::fabs(got - expected) / std::ldexp(1.0, exponent - 23);
}

TEST(Sampling, LogarithmIsAccurate) {
  double worst = 0.0;
  for (uint32_t bits = 0x00800000; bits < 0x7f800000; bits += 9973) {
    const float x = std::bit_cast<float>(bits);
    worst = std::max(worst, steps_apart(fixed_log(x), std::log(static_cast<double>(x))));
  }
  for (uint32_t i = 0; i < 1u << 20; ++i) {  // around 1, where the logarithm is near zero
    const float x = std::bit_cast<float>(0x3f780000 + i);
    if (x == 1.0f) continue;
    worst = std::max(worst, steps_apart(fixed_log(x), std::log(static_cast<double>(x))));
  }
  EXPECT_LT(worst, 2.5);
  EXPECT_EQ(fixed_log(1.0f), 0.0f);
}

TEST(Sampling, ExponentialIsAccurate) {
  for (double x = 0.0; x > -700.0; x -= 0.00917) {
    EXPECT_NEAR(fixed_exp(x) / std::exp(x), 1.0, 1e-14) << x;
  }
  EXPECT_EQ(fixed_exp(0.0), 1.0);
  EXPECT_EQ(fixed_exp(-1e300), 0.0);
  EXPECT_EQ(fixed_exp(-INFINITY), 0.0);
}

TEST(Sampling, GumbelNoiseIsAccurateAndFinite) {
  const auto error = [](uint32_t bits) {
    return std::fabs(gumbel(bits) - reference::gumbel(bits));
  };
  for (uint32_t bits :
       {0u, 1u, 2u, 0x3fffffffu, 0x40000000u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    EXPECT_LT(error(bits), 4e-6) << bits;
  }
  double worst = 0.0;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4999) {
    worst = std::max(worst, error(static_cast<uint32_t>(bits)));
  }
  EXPECT_LT(worst, 2e-6);
  EXPECT_GT(gumbel(0), 22.0f);
  EXPECT_LT(gumbel(0xffffffff), -3.0f);
}

// Samples one code of `guided` for each of many pictures that differ in their step.
std::vector<int64_t> drawn(Backend& b, const Values& guided, int64_t pictures, double temperature,
                           double top_k, double top_p, uint32_t first_step) {
  const int64_t codes = static_cast<int64_t>(guided.size());
  Values rows, seeds, steps;
  for (int64_t p = 0; p < pictures; ++p) {
    rows.insert(rows.end(), guided.begin(), guided.end());
    seeds.insert(seeds.end(), {77.0, -5.0});
    steps.push_back(first_step + static_cast<double>(p));
  }
  const auto filled = [&](double x) { return Values(pictures, x); };
  const GuardedTensor logits(b, DType::kF32, {pictures, codes}, rows);
  const GuardedTensor t(b, DType::kF32, {pictures}, filled(temperature));
  const GuardedTensor k(b, DType::kI32, {pictures}, filled(top_k));
  const GuardedTensor p(b, DType::kF32, {pictures}, filled(top_p));
  const GuardedTensor seed(b, DType::kI32, {pictures, 2}, seeds);
  const GuardedTensor step(b, DType::kI32, {pictures}, steps);
  const GuardedTensor ids(b, DType::kI32, {2 * pictures});
  b.sample(ids.tensor(), logits.tensor(),
           {t.tensor(), k.tensor(), p.tensor(), seed.tensor(), step.tensor()});
  std::vector<int64_t> result;
  const Values all = ids.values();
  for (int64_t i = 0; i < pictures; ++i) {
    EXPECT_EQ(all[2 * i], all[2 * i + 1]);
    result.push_back(static_cast<int64_t>(all[2 * i]));
  }
  return result;
}

// Pearson's statistic of counts against probabilities.
double chi_square(const std::vector<int64_t>& ids, const Values& probability) {
  Values counts(probability.size());
  for (int64_t id : ids) counts[id] += 1.0;
  double sum = 0.0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = probability[i] * static_cast<double>(ids.size());
    if (expected == 0.0) {
      EXPECT_EQ(counts[i], 0.0);
    } else {
      sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
  }
  return sum;
}

Values softmax(const Values& logits, double temperature) {
  Values p;
  double sum = 0.0;
  for (double x : logits) {
    p.push_back(std::exp(x / temperature));
    sum += p.back();
  }
  for (double& x : p) x /= sum;
  return p;
}

const Values kLogits{0.0, 1.0, -1.0, 2.0, 0.5, -0.5, 1.5, -2.0, 0.25, 3.0, -3.0};

TEST(Sampling, SamplesFollowTheSoftmax) {
  const auto b = make_cpu_backend(2);
  for (double temperature : {0.5, 1.0, 2.0}) {
    const auto ids = drawn(*b, kLogits, 20000, temperature, 0, 1, 0);
    // 10 degrees of freedom: above 29.6 once in a thousand. The seed is fixed, so the test is
    // deterministic.
    EXPECT_LT(chi_square(ids, softmax(kLogits, temperature)), 29.6) << temperature;
  }
}

TEST(Sampling, TopKRenormalises) {
  const auto b = make_cpu_backend(2);
  Values p = softmax(kLogits, 1.0);
  double kept = 0.0;
  for (size_t i = 0; i < p.size(); ++i) kLogits[i] >= 1.5 ? kept += p[i] : p[i] = 0.0;
  for (double& x : p) x /= kept;
  EXPECT_LT(chi_square(drawn(*b, kLogits, 20000, 1.0, 3, 1, 0), p), 13.8);  // 2 degrees, 0.1 %
}

// A code's noise does not depend on which other codes are allowed. So a winner that top-k or top-p
// keeps stays the winner.
TEST(Sampling, TopKAndTopPDoNotChangeTheNoise) {
  const auto b = make_cpu_backend(2);
  const auto free = drawn(*b, kLogits, 2000, 1.0, 0, 1, 50);
  const auto k = drawn(*b, kLogits, 2000, 1.0, 4, 1, 50);
  const auto p = drawn(*b, kLogits, 2000, 1.0, 0, 0.6, 50);
  for (size_t i = 0; i < free.size(); ++i) {
    if (kLogits[free[i]] >= 1.0) {
      EXPECT_EQ(k[i], free[i]);
    }
    if (kLogits[free[i]] >= 3.0) {
      EXPECT_EQ(p[i], free[i]);
    }
    EXPECT_GE(kLogits[k[i]], 1.0);
  }
}

// For any implementation of the noise, the sampled code is the highest of logit / temperature +
// gumbel_block() in single precision, and the lowest such code.
TEST(Sampling, NoiseOfManyCodesEqualsThatOfEachBlock) {
  const auto b = make_cpu_backend(1);
  constexpr int64_t kPictures = 40;
  constexpr uint32_t kFirstStep = 9;
  for (int64_t codes : {1, 3, 4, 5, 255, 256, 257, 1021}) {
    const Values logits = spread(static_cast<uint32_t>(codes), codes, DType::kF32);
    for (float temperature : {0.01f, 0.7f, 3.0f}) {
      const auto ids = drawn(*b, logits, kPictures, temperature, 0, 1, kFirstStep);
      for (int64_t picture = 0; picture < kPictures; ++picture) {
        int64_t best = 0;
        float highest = 0;
        for (int64_t code = 0; code < codes; ++code) {
          const auto noise = gumbel_block(uint64_t{0xfffffffb} << 32 | 77,
                                          kFirstStep + static_cast<uint32_t>(picture),
                                          static_cast<uint32_t>(code / 4));
          const float score = static_cast<float>(logits[code]) / temperature + noise[code % 4];
          if (code == 0 || score > highest) {
            best = code;
            highest = score;
          }
        }
        EXPECT_EQ(ids[picture], best) << codes << " codes, temperature " << temperature;
      }
    }
  }
}

TEST(Sampling, StepsAndSeedsDiffer) {
  const auto a = gumbel_block(1, 2, 3);
  EXPECT_NE(a, gumbel_block(2, 2, 3));
  EXPECT_NE(a, gumbel_block(uint64_t{1} << 32 | 1, 2, 3));
  EXPECT_NE(a, gumbel_block(1, 3, 3));
  EXPECT_NE(a, gumbel_block(1, 2, 4));
  EXPECT_NE(a, gumbel_block(1, 2, 3, kThoughtTokenStream));
  EXPECT_EQ(a, gumbel_block(1, 2, 3));
}

}  // namespace
}  // namespace bifrons::testing
