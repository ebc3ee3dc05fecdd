// Quantised linear layers on a device: double precision, every integer, columns that do not know
// each other, and fused ops.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>

#include "tests/kernels/op_case.h"
#include "tests/kernels/quantised_fixture.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

class QuantisedDevice : public ::testing::TestWithParam<LinearFormat> {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    b = backend_under_test();
  }
  int64_t group() const { return group_of(GetParam()); }
  Linear linear(int64_t out, int64_t in, uint32_t seed) const {
    return QuantisedWeights(GetParam(), out, in, seed).linear(*b);
  }
  // The product in f32 or bf16 of rows that are `gap` elements apart.
  Values run(const Linear& weight, const Values& x, DType result, int64_t gap = 8) const {
    const int64_t rows = static_cast<int64_t>(x.size()) / weight.in;
    const GuardedTensor from(*b, DType::kBf16, {rows, weight.in}, x, gap);
    const GuardedTensor to(*b, result, {rows, weight.out}, {}, 5);
    b->linear(to.tensor(), from.tensor(), weight);
    EXPECT_TRUE(to.guards_intact() && from.untouched());
    return to.values();
  }

  std::unique_ptr<Backend> b;
};

// Describes the element that is furthest outside of its tolerance. Integers, activations and their
// products are exact. A product then takes part in at most 32 additions of its step, one for each
// step of its slice, and eight for slices and groups; each errs by 2^-23 of the sum of magnitudes,
// because tensor cores may cut off where others round.
std::string worst_product(const Values& got, const Values& x, const Values& w, int64_t in,
                          int64_t out, DType result) {
  const Values expected = reference::linear(x, w, {}, in, out);
  if (got.size() != expected.size()) return "a wrong number of values";
  double worst = 1;
  std::string words;
  for (size_t i = 0; i < got.size(); ++i) {
    const double* of_x = x.data() + static_cast<int64_t>(i) / out * in;
    const double* of_w = w.data() + static_cast<int64_t>(i) % out * in;
    double magnitude = 0;
    for (int64_t k = 0; k < in; ++k) magnitude += std::fabs(of_w[k] * of_x[k]);
    const double sum = (40 + static_cast<double>(in) / 32) * 0x1p-23 * magnitude;
    const double allowed = sum + half_step(result) * (std::fabs(expected[i]) + sum);
    const double excess = std::fabs(got[i] - expected[i]) / allowed;
    if (got[i] == expected[i] || excess <= worst) continue;
    worst = std::isnan(excess) ? INFINITY : excess;
    words = "element " + std::to_string(i) + " is " + std::to_string(got[i]) + " instead of " +
            std::to_string(expected[i]) + ", allowed " + std::to_string(allowed);
  }
  return words;
}

// One, few, more and many rows; one slice, slices that cut a group, sixteen slices.
TEST_P(QuantisedDevice, MatchesDoublePrecision) {
  for (const auto& [out, groups] :
       {std::pair<int64_t, int64_t>{1, 1}, {33, 3}, {70, 5}, {16, 18}}) {
    const int64_t in = groups * group();
    const QuantisedWeights weights(GetParam(), out, in, 1);
    const Linear linear = weights.linear(*b);
    const Values w = reference::dequantised(weights.array());
    for (const int64_t rows : {1, 2, 9, 20}) {
      const Values x = spread(3, rows * in, DType::kBf16);
      for (const DType result : {DType::kF32, DType::kBf16}) {
        EXPECT_EQ(worst_product(run(linear, x, result), x, w, in, out, result), "")
            << rows << " x " << in << " -> " << out;
      }
    }
    const Values x = spread(4, 3 * in, DType::kF32);
    EXPECT_EQ(worst_product(product(*b, linear, DType::kF32, x, 3), x, w, in, out, DType::kF32),
              "");
  }
}

// Rows of the unit matrix give the weights themselves, so every byte must come from its own place
// and have its exact value.
TEST_P(QuantisedDevice, EveryIntegerIsExact) {
  const int64_t in = 2 * group(), out = 37;
  const QuantisedWeights weights(GetParam(), out, in, 5);
  const Values w = reference::dequantised(weights.array());
  Values unit(in * in, 0.0), expected;
  for (int64_t k = 0; k < in; ++k) {
    unit[k * in + k] = 1;
    for (int64_t o = 0; o < out; ++o) expected.push_back(w[o * in + k]);
  }
  const Linear linear = weights.linear(*b);
  const Values got = run(linear, unit, DType::kF32);
  EXPECT_EQ(got, expected);
  EXPECT_EQ(product(*b, linear, DType::kF32, unit, in), expected);
}

TEST_P(QuantisedDevice, ColumnsDoNotDependOnTheirNumber) {
  constexpr int64_t kMost = 129, kOut = 40, kIn = 128;
  const Linear weight = linear(kOut, kIn, 6);
  const Values x = spread(7, kMost * kIn, DType::kBf16);
  Values alone;
  for (int64_t n = 0; n < kMost; ++n) {
    const Values one = run(weight, {x.begin() + n * kIn, x.begin() + (n + 1) * kIn}, DType::kBf16);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  for (int64_t n = 1; n <= kMost; ++n) {
    const Values first(alone.begin(), alone.begin() + n * kOut);
    ASSERT_EQ(difference(run(weight, {x.begin(), x.begin() + n * kIn}, DType::kBf16), first), "")
        << n << " columns";
  }
}

// The same for long sums, f32 results, and rows that are not aligned to vectors.
TEST_P(QuantisedDevice, ColumnsOfLongSumsDoNotDependOnTheirNumber) {
  constexpr int64_t kOut = 33, kIn = 2176;
  const Linear weight = linear(kOut, kIn, 8);
  const Values x = spread(9, 40 * kIn, DType::kBf16);
  for (const DType result : {DType::kF32, DType::kBf16}) {
    const Values all = run(weight, x, result);
    EXPECT_EQ(difference(run(weight, x, result, 3), all), "");
    for (const int64_t n : {0, 7, 39}) {
      const Values row(x.begin() + n * kIn, x.begin() + (n + 1) * kIn);
      const Values part(all.begin() + n * kOut, all.begin() + (n + 1) * kOut);
      EXPECT_EQ(difference(run(weight, row, result), part), "") << "column " << n;
    }
  }
}

TEST_P(QuantisedDevice, StackedWeightsAndBiasesEqualTheirParts) {
  const int64_t in = 3 * group(), rows = 3, heights[] = {33, 7, 24};
  const QuantisedWeights one(GetParam(), heights[0], in, 10), two(GetParam(), heights[1], in, 11),
      three(GetParam(), heights[2], in, 12);
  const QuantisedArray parts[] = {one.array(), two.array(), three.array()};
  std::vector<HostArray> biases;
  std::deque<HostValues> shifts;
  for (const int64_t height : heights) {
    shifts.emplace_back(spread(13, height, DType::kBf16), DType::kBf16, 1, height);
    biases.push_back(shifts.back().array);
  }
  const Values x = spread(14, rows * in, DType::kBf16);
  const Values all = run(b->make_quantised_linear(parts, biases), x, DType::kF32);
  int64_t first = 0;
  for (const QuantisedArray& part : parts) {
    const Values alone = run(b->make_quantised_linear({&part, 1}, {}), x, DType::kF32);
    const Values shift = spread(13, part.rows, DType::kBf16);
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t o = 0; o < part.rows; ++o) {
        EXPECT_EQ(all[m * 64 + first + o],
                  static_cast<float>(alone[m * part.rows + o]) + static_cast<float>(shift[o]));
      }
    }
    first += part.rows;
  }
}

TEST_P(QuantisedDevice, AddRoundsTheProductThenTheSum) {
  for (const int64_t rows : {5, 20}) {
    const int64_t in = 2 * group(), out = 45;
    const Linear weight = linear(out, in, 15);
    const Values values = spread(16, rows * in, DType::kBf16);
    const GuardedTensor x(*b, DType::kBf16, {rows, in}, values, 8);
    const Values before = spread(17, rows * out, DType::kBf16);
    const GuardedTensor y(*b, DType::kBf16, {rows, out}, before, 5);
    b->linear_add(y.tensor(), x.tensor(), weight);
    const Values sum = y.values(), products = run(weight, values, DType::kBf16);
    for (size_t i = 0; i < sum.size(); ++i) {
      ASSERT_EQ(sum[i], round_to_bf16(static_cast<float>(before[i] + products[i])));
    }
    EXPECT_TRUE(y.guards_intact());
  }
}

// A row that is not finite changes no other one, and does not become finite.
TEST_P(QuantisedDevice, RowsThatAreNotFiniteStayAlone) {
  const int64_t in = 3 * group(), out = 20, rows = 4;
  Values x = spread(19, rows * in, DType::kBf16);
  x[1 * in + 17] = std::numeric_limits<double>::quiet_NaN();
  x[2 * in + 30] = -std::numeric_limits<double>::infinity();
  const Values y = run(linear(out, in, 18), x, DType::kF32);
  for (int64_t o = 0; o < out; ++o) {
    EXPECT_TRUE(std::isfinite(y[o]) && std::isfinite(y[3 * out + o]));
    EXPECT_TRUE(std::isnan(y[out + o]));
    EXPECT_FALSE(std::isfinite(y[2 * out + o]));
  }
}

TEST_P(QuantisedDevice, CountsTheBytesThatAreRead) {
  const int64_t in = 256, out = 40;
  const Values x(2 * in, 1.0);
  const Linear weight = linear(out, in, 20);
  b->meter().reset();
  run(weight, x, DType::kF32);
  const int64_t bytes =
      GetParam() == LinearFormat::kInt8 ? out * (in + 2 * 2) : out * (128 + 8 * 2);
  EXPECT_EQ(b->meter().of(Op::kLinear).bytes, bytes + 2 * in * 2 + 2 * out * 4);
  // Whole tiles of 16 rows, without other padding.
  EXPECT_EQ(weight.storage.bytes() * out, bytes * 48);
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantisedDevice,
                         ::testing::Values(LinearFormat::kInt8, LinearFormat::kInt4),
                         [](const auto& format) { return std::string(name_of(format.param)); });

}  // namespace
}  // namespace bifrons::testing
