// Quantised linear layers on the CPU: double precision, row independence, and the same bits from
// every instruction set with fused multiply-adds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/kernels/op_case.h"
#include "tests/kernels/quantised_fixture.h"

namespace bifrons::testing {
namespace {

constexpr LinearFormat kLinearFormats[] = {LinearFormat::kInt8, LinearFormat::kInt4};
constexpr DType kActivationTypes[] = {DType::kF32, DType::kBf16};

// One group, an odd and an even number of groups, many groups.
std::vector<int64_t> depths(LinearFormat format) {
  const int64_t group = group_of(format);
  return {group, 2 * group, 5 * group, 17 * group};
}

class QuantisedLinear : public ::testing::TestWithParam<std::string_view> {
 protected:
  std::unique_ptr<Backend> backend(int threads = 2) {
    return make_cpu_backend(threads, GetParam());
  }
};

// Describes the element that is furthest outside of its tolerance. A number of x errs by at most
// half a step, 2^-16 of the largest one of its group, and the rest is rounding of f32.
std::string worst_of(const Values& got, const Values& x, const Values& w, int64_t in, int64_t out,
                     int64_t group) {
  if (static_cast<int64_t>(got.size()) != static_cast<int64_t>(x.size()) / in * out) {
    return "a wrong number of values, or something outside of them was changed";
  }
  const Values expected = reference::linear(x, w, {}, in, out);
  double worst = 1;
  std::string words;
  for (size_t i = 0; i < got.size(); ++i) {
    const double* of_x = x.data() + static_cast<int64_t>(i) / out * in;
    const double* of_w = w.data() + static_cast<int64_t>(i) % out * in;
    double steps = 0, magnitude = 0;
    for (int64_t g = 0; g < in; g += group) {
      double largest = 0, sum = 0;
      for (int64_t k = g; k < g + group; ++k) {
        largest = std::max(largest, std::fabs(of_x[k]));
        sum += std::fabs(of_w[k]);
        magnitude += std::fabs(of_w[k] * of_x[k]);
      }
      steps += 0.5001 * largest / 32512 * sum;
    }
    const double allowed =
        steps + 0x1p-24 * (4 + static_cast<double>(in) / static_cast<double>(group)) * magnitude;
    if (got[i] == expected[i]) continue;
    const double excess = std::fabs(got[i] - expected[i]) / allowed;
    if (excess <= worst) continue;
    worst = std::isnan(excess) ? INFINITY : excess;
    words = "element " + std::to_string(i) + " is " + std::to_string(got[i]) + " instead of " +
            std::to_string(expected[i]) + ", allowed " + std::to_string(allowed);
  }
  return words;
}

TEST_P(QuantisedLinear, MatchesDoublePrecision) {
  const auto b = backend();
  for (const LinearFormat format : kLinearFormats) {
    for (const int64_t in : depths(format)) {
      for (const int64_t out : {1, 15, 16, 17, 45}) {
        const QuantisedWeights weights(format, out, in, 1);
        const Linear linear = weights.linear(*b);
        const Values w = reference::dequantised(weights.array());
        for (const DType dtype : kActivationTypes) {
          for (const int64_t rows : {1, 2, 3, 7, 8, 9, 17}) {
            const Values x = spread(3, rows * in, dtype);
            EXPECT_EQ(
                worst_of(product(*b, linear, dtype, x, rows), x, w, in, out, group_of(format)), "")
                << name_of(format) << " " << rows << " x " << in << " -> " << out;
          }
        }
      }
    }
  }
}

// The largest sums that 32 bits must hold.
TEST_P(QuantisedLinear, HoldsTheLargestSums) {
  const auto b = backend();
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 2 * group_of(format), out = 17;
    for (const int byte : {0x00, 0x7f, 0x80, 0xff}) {
      QuantisedWeights weights(format, out, in, 2);
      weights.fill(static_cast<std::byte>(byte));
      const Values w = reference::dequantised(weights.array());
      for (const double sign : {1.0, -1.0}) {
        const Values x(3 * in, sign);
        EXPECT_EQ(worst_of(product(*b, weights.linear(*b), DType::kF32, x, 3), x, w, in, out,
                           group_of(format)),
                  "")
            << name_of(format) << " " << byte;
      }
    }
  }
}

TEST_P(QuantisedLinear, RowsDoNotDependOnEachOther) {
  const auto b = backend();
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 5 * group_of(format), out = 70;
    const Linear linear = QuantisedWeights(format, out, in, 4).linear(*b);
    for (const int64_t rows : {2, 3, 7, 8, 9, 16, 17, 33, 257}) {
      const Values x = spread(5, rows * in, DType::kBf16);
      const Values together = product(*b, linear, DType::kBf16, x, rows);
      for (int64_t m = 0; m < rows; ++m) {
        const Values row(x.begin() + m * in, x.begin() + (m + 1) * in);
        const Values part(together.begin() + m * out, together.begin() + (m + 1) * out);
        ASSERT_EQ(difference(product(*b, linear, DType::kBf16, row, 1), part), "")
            << name_of(format) << ", row " << m << " of " << rows;
      }
    }
  }
}

TEST_P(QuantisedLinear, ThreadsDoNotChangeBits) {
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 5 * group_of(format), out = 300, rows = 11;
    const QuantisedWeights weights(format, out, in, 6);
    const Values x = spread(7, rows * in, DType::kBf16);
    const auto one = backend(1);
    const Values alone = product(*one, weights.linear(*one), DType::kBf16, x, rows);
    for (const int threads : {2, 3, 7}) {
      const auto b = backend(threads);
      EXPECT_EQ(difference(product(*b, weights.linear(*b), DType::kBf16, x, rows), alone), "");
    }
  }
}

// The portable set alone rounds the product before it adds.
TEST_P(QuantisedLinear, InstructionSetsGiveTheSameBits) {
  if (GetParam() == "portable") GTEST_SKIP() << "no fused multiply-add";
  const auto b = backend(), first = make_cpu_backend(2, cpu_instruction_sets().front());
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 5 * group_of(format), out = 101;
    const QuantisedWeights weights(format, out, in, 8);
    for (const int64_t rows : {1, 2, 5, 16, 40}) {
      const Values x = spread(9, rows * in, DType::kBf16);
      EXPECT_EQ(difference(product(*b, weights.linear(*b), DType::kBf16, x, rows),
                           product(*first, weights.linear(*first), DType::kBf16, x, rows)),
                "")
          << name_of(format) << ", " << rows << " rows";
    }
  }
}

TEST_P(QuantisedLinear, StackedWeightsAndBiasesEqualTheirParts) {
  const auto b = backend();
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 3 * group_of(format), rows = 3;
    const QuantisedWeights one(format, 33, in, 10), two(format, 7, in, 11);
    const QuantisedArray parts[] = {one.array(), two.array()};
    const HostValues low(spread(12, 33, DType::kBf16), DType::kBf16, 1, 33);
    const HostValues high(spread(13, 7, DType::kBf16), DType::kBf16, 1, 7);
    const HostArray biases[] = {low.array, high.array};
    const Linear stacked = b->make_quantised_linear(parts, biases);
    const Values x = spread(14, rows * in, DType::kF32), shift = spread(13, 7, DType::kBf16);
    const Values y = product(*b, stacked, DType::kF32, x, rows);
    const Values z = product(*b, two.linear(*b), DType::kF32, x, rows);
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t o = 0; o < 7; ++o) {
        EXPECT_EQ(y[m * 40 + 33 + o],
                  static_cast<float>(z[m * 7 + o]) + static_cast<float>(shift[o]));
      }
    }
  }
}

TEST_P(QuantisedLinear, AddRoundsTheProductThenTheSum) {
  const auto b = backend();
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 2 * group_of(format), out = 45, rows = 5;
    const Linear linear = QuantisedWeights(format, out, in, 15).linear(*b);
    const GuardedTensor x(*b, DType::kBf16, {rows, in}, spread(16, rows * in, DType::kBf16), 5);
    const Values before = spread(17, rows * out, DType::kBf16);
    const GuardedTensor y(*b, DType::kBf16, {rows, out}, before, 5);
    const GuardedTensor alone(*b, DType::kBf16, {rows, out}, {}, 5);
    b->linear(alone.tensor(), x.tensor(), linear);
    b->linear_add(y.tensor(), x.tensor(), linear);
    const Values sum = y.values(), products = alone.values();
    for (size_t i = 0; i < sum.size(); ++i) {
      ASSERT_EQ(sum[i], round_to_bf16(static_cast<float>(before[i] + products[i])));
    }
    EXPECT_TRUE(y.guards_intact() && alone.guards_intact());
  }
}

// A row that is not finite becomes NaN and changes no other one. Rows of zeros, and of numbers too
// small to have a scale, give zeros.
TEST_P(QuantisedLinear, OddRowsStayAlone) {
  const auto b = backend();
  for (const LinearFormat format : kLinearFormats) {
    const int64_t in = 3 * group_of(format), out = 20, rows = 5;
    const Linear linear = QuantisedWeights(format, out, in, 18).linear(*b);
    Values x = spread(19, rows * in, DType::kF32);
    x[1 * in + 17] = std::numeric_limits<double>::quiet_NaN();
    x[2 * in + 40] = -std::numeric_limits<double>::infinity();
    std::fill(x.begin() + 3 * in, x.begin() + 4 * in, 0.0);
    std::fill(x.begin() + 4 * in, x.begin() + 5 * in, 0x1p-140);
    const Values y = product(*b, linear, DType::kF32, x, rows);
    ASSERT_EQ(y.size(), static_cast<size_t>(rows * out));
    for (int64_t o = 0; o < out; ++o) {
      EXPECT_TRUE(std::isfinite(y[o]));
      EXPECT_TRUE(std::isnan(y[out + o]) && std::isnan(y[2 * out + o]));
      EXPECT_EQ(y[3 * out + o], 0);
      EXPECT_EQ(y[4 * out + o], 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, QuantisedLinear, ::testing::ValuesIn(cpu_instruction_sets()),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(QuantisedLinearOp, CountsTheBytesThatAreRead) {
  const auto b = make_cpu_backend(1);
  const GuardedTensor x(*b, DType::kBf16, {2, 256}, Values(512, 1.0)), y(*b, DType::kF32, {2, 40});
  const int64_t others = 2 * 256 * 2 + 2 * 40 * 4;
  for (const auto& [format, bytes] : {std::pair{LinearFormat::kInt8, 40 * (256 + 2 * 2)},
                                      std::pair{LinearFormat::kInt4, 40 * (128 + 8 * 2)}}) {
    const Linear linear = QuantisedWeights(format, 40, 256, 20).linear(*b);
    b->meter().reset();
    b->linear(y.tensor(), x.tensor(), linear);
    EXPECT_EQ(b->meter().of(Op::kLinear).bytes, bytes + others);
    EXPECT_EQ(b->meter().total().flops, 2 * 2 * 40 * 256);
  }
}

TEST(QuantisedLinearOp, RefusesPartsThatDoNotFit) {
  const auto b = make_cpu_backend(1);
  const QuantisedWeights one(LinearFormat::kInt4, 4, 128, 1), other(LinearFormat::kInt8, 4, 128, 1);
  const QuantisedArray mixed[] = {one.array(), other.array()};
  EXPECT_THROW(b->make_quantised_linear(mixed, {}), ContractError);
  QuantisedArray odd = one.array();
  odd.cols = 40;
  EXPECT_THROW(b->make_quantised_linear({&odd, 1}, {}), ContractError);
}

}  // namespace
}  // namespace bifrons::testing
