// Quantisation of matrices: errors, bounds, and numbers that cannot be quantised.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/quantise.h"
#include "tests/support/guarded_tensor.h"

namespace bifrons::testing {
namespace {

struct Quantised {
  std::vector<std::byte> values, scales;
  bool finite = false;
  Values w;  // what they stand for
};

Quantised quantised(const Values& w, DType dtype, LinearFormat format, int64_t rows, int64_t cols,
                    int threads = 2) {
  const HostValues stored(w, dtype, rows, cols);
  Quantised q;
  q.values.resize(rows * value_bytes(format, cols));
  q.scales.resize(rows * scale_bytes(format, cols));
  q.finite = Quantiser(threads).quantise(stored.array, format, q.values, q.scales);
  q.w = reference::dequantised({q.values.data(), q.scales.data(), format, rows, cols});
  return q;
}

// The squared error of plain rounding of each group with the scale max / `steps`.
double plain_error(const Values& w, int64_t group, double steps) {
  double error = 0;
  for (size_t first = 0; first < w.size(); first += group) {
    double largest = 0;
    for (int64_t k = 0; k < group; ++k) largest = std::max(largest, std::fabs(w[first + k]));
    const double scale = largest / steps;
    for (int64_t k = 0; k < group; ++k) {
      const double rest = w[first + k] - scale * std::nearbyint(w[first + k] / scale);
      error += rest * rest;
    }
  }
  return error;
}

double squared_error(const Values& a, const Values& b) {
  double error = 0;
  for (size_t i = 0; i < a.size(); ++i) error += (a[i] - b[i]) * (a[i] - b[i]);
  return error;
}

TEST(Quantise, EveryNumberOfInt8IsWithinHalfAStep) {
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kF16}) {
    const int64_t rows = 7, cols = 384;
    const Values w = spread(1, rows * cols, dtype);
    const Quantised q = quantised(w, dtype, LinearFormat::kInt8, rows, cols);
    EXPECT_TRUE(q.finite);
    for (size_t i = 0; i < w.size(); ++i) {
      // Half a step of the largest number below 1, and what rounding the scale to bf16 may clip.
      ASSERT_NEAR(q.w[i], w[i], 0.5 / 127 + 0x1p-8) << i;
    }
    EXPECT_LT(squared_error(q.w, w), 1.05 * plain_error(w, 128, 127));
  }
}

TEST(Quantise, Int4ErrsLessThanPlainRounding) {
  const int64_t rows = 33, cols = 256;
  Values w = spread(2, rows * cols, DType::kBf16);
  for (double& x : w) x = reference::rounded(x * x * x, DType::kBf16);  // few are large
  const Quantised q = quantised(w, DType::kBf16, LinearFormat::kInt4, rows, cols);
  EXPECT_TRUE(q.finite);
  EXPECT_LT(squared_error(q.w, w), 0.85 * plain_error(w, 32, 7));
}

TEST(Quantise, WhatIsOnTheGridIsKept) {
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    Values w(4 * 256);
    const int64_t most = format == LinearFormat::kInt8 ? 127 : 7, wide = 2 * most + 1;
    for (size_t i = 0; i < w.size(); ++i) {
      w[i] = 0.125 * static_cast<double>(static_cast<int64_t>(i) * 5 % wide - most);
    }
    EXPECT_EQ(quantised(w, DType::kF32, format, 4, 256).w, w) << name_of(format);
  }
}

TEST(Quantise, ThreadsDoNotMatter) {
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    const Values w = spread(3, 300 * 1024, DType::kBf16);
    const Quantised one = quantised(w, DType::kBf16, format, 300, 1024, 1);
    const Quantised many = quantised(w, DType::kBf16, format, 300, 1024, 5);
    EXPECT_EQ(one.values, many.values);
    EXPECT_EQ(one.scales, many.scales);
  }
}

TEST(Quantise, ZerosAndTinyNumbersBecomeZeros) {
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    for (const double x : {0.0, 0x1p-120}) {
      const Quantised q = quantised(Values(256, x), DType::kF32, format, 1, 256);
      EXPECT_TRUE(q.finite);
      EXPECT_EQ(q.w, Values(256, 0.0));
    }
  }
}

TEST(Quantise, LargeNumbersStayFinite) {
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    const Quantised q = quantised(Values(256, -3e38), DType::kF32, format, 1, 256);
    EXPECT_TRUE(q.finite);
    for (const double x : q.w) ASSERT_NEAR(x / -3e38, 1, 0.02);
  }
}

TEST(Quantise, TellsOfNumbersThatAreNotFinite) {
  for (const LinearFormat format : {LinearFormat::kInt8, LinearFormat::kInt4}) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      Values w = spread(4, 5 * 256, DType::kF32);
      w[4 * 256 + 200] = bad;
      EXPECT_FALSE(quantised(w, DType::kF32, format, 5, 256).finite);
    }
  }
}

}  // namespace
}  // namespace bifrons::testing
