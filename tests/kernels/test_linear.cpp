// Linear layers on the CPU: comparison with double precision, and row independence.
#include <gtest/gtest.h>

#include "tests/kernels/linear_fixture.h"

namespace bifrons {
namespace {

using linear_test::all_types;
using linear_test::GuardedMatrix;
using linear_test::Types;
using linear_test::Weights;

// Expected value of one output, and the tolerance that rounding needs.
struct Expected {
  double value = 0;
  double tolerance = 0;
};

// Error bound: K multiply-adds in f32 err by at most K eps times the sum of magnitudes (eps =
// 2^-24; one more for the bias). The bf16 dot product flushes subnormals to zero.
Expected product(const Weights& w, const GuardedMatrix& x, int64_t m, int64_t o, double bias) {
  const int64_t in = w.array().cols;
  double sum = bias, magnitude = std::abs(bias);
  for (int64_t k = 0; k < in; ++k) {
    sum += w.at(o, k) * x.at(m, k);
    magnitude += std::abs(w.at(o, k) * x.at(m, k));
  }
  const auto terms = static_cast<double>(in);
  return {sum, (terms + 2) * 0x1p-24 * magnitude + 3 * terms * 0x1p-126};
}

// Rounding to the destination dtype adds half an ulp.
Expected rounded(Expected e, DType dtype) {
  e.tolerance += (dtype == DType::kBf16 ? 0x1p-8 : 0x1p-24) * (std::abs(e.value) + e.tolerance);
  return e;
}

struct Worst {
  double excess = 0;  // error over tolerance
  std::string where;

  void see(double got, const Expected& e, int64_t m, int64_t o) {
    const double ratio = std::abs(got - e.value) / e.tolerance;
    if (ratio <= excess) return;  // false for NaN, so a NaN is reported
    excess = ratio;
    where = "row " + std::to_string(m) + ", output " + std::to_string(o) + ": got " +
            std::to_string(got) + " for " + std::to_string(e.value) + ", tolerance " +
            std::to_string(e.tolerance);
  }
};

class LinearOnIsa : public ::testing::TestWithParam<std::string_view> {
 protected:
  std::unique_ptr<Backend> backend(int threads = 2) {
    return make_cpu_backend(threads, GetParam());
  }
};

void compare_product(Backend& b, const Types& types, DType y_type, int64_t rows, int64_t in,
                     int64_t out, bool with_bias) {
  SCOPED_TRACE(types.name() + ", y " + std::string(name_of(y_type)) + ", " + std::to_string(rows) +
               " x " + std::to_string(in) + " -> " + std::to_string(out));
  const Weights w(types.weight, out, in, 1), bias(types.weight, out, 1, 2);
  const HostArray bias_array{bias.array().data, types.weight, 1, out};
  const Linear linear = with_bias ? b.make_linear({&w.array(), 1}, {&bias_array, 1})
                                  : b.make_linear({&w.array(), 1}, {});
  GuardedMatrix x(types.x, rows, in), y(y_type, rows, out);
  x.fill_random(3);
  b.linear(y.tensor(), x.tensor(), linear);
  Worst worst;
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t o = 0; o < out; ++o) {
      const Expected e = product(w, x, m, o, with_bias ? bias.at(o, 0) : 0);
      worst.see(y.at(m, o), rounded(e, y_type), m, o);
    }
  }
  EXPECT_LE(worst.excess, 1) << worst.where;
  EXPECT_TRUE(y.guards_intact());
}

TEST_P(LinearOnIsa, MatchesDoublePrecisionOnAllTypesAndTails) {
  const auto b = backend();
  for (const Types& types : all_types()) {
    for (const int64_t in : {1, 2, 31, 64, 129}) {
      for (const int64_t out : {1, 31, 32, 33, 101}) {
        compare_product(*b, types, DType::kF32, 3, in, out, out % 2 == 1);
        compare_product(*b, types, types.x, 2, in, out, out % 2 == 0);
      }
    }
  }
}

TEST_P(LinearOnIsa, MatchesDoublePrecisionOnLongRowsAndManyRows) {
  const auto b = backend();
  for (const Types& types : all_types()) {
    compare_product(*b, types, DType::kF32, 2, 5632, 40, false);
    compare_product(*b, types, types.x, 261, 67, 35, true);
  }
}

TEST_P(LinearOnIsa, AddRoundsTheProductThenTheSum) {
  const auto b = backend();
  for (const Types& types : all_types()) {
    SCOPED_TRACE(types.name());
    const int64_t rows = 5, in = 77, out = 45;
    const Weights w(types.weight, out, in, 4);
    const Linear linear = b->make_linear({&w.array(), 1}, {});
    GuardedMatrix x(types.x, rows, in), y(types.x, rows, out), residual(types.x, rows, out);
    x.fill_random(5);
    residual.fill_random(6);
    y.fill_random(6);
    GuardedMatrix alone(types.x, rows, out);
    b->linear(alone.tensor(), x.tensor(), linear);
    b->linear_add(y.tensor(), x.tensor(), linear);
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t o = 0; o < out; ++o) {
        const float sum = residual.at(m, o) + alone.at(m, o);
        ASSERT_EQ(y.at(m, o), types.x == DType::kBf16 ? round_to_bf16(sum) : sum);
      }
    }
    EXPECT_TRUE(y.guards_intact());
  }
}

// A row's result has the same bits alone, beside any other rows and at any index.
TEST_P(LinearOnIsa, RowsDoNotDependOnEachOther) {
  const auto b = backend();
  for (const Types& types : all_types()) {
    SCOPED_TRACE(types.name());
    const int64_t in = 259, out = 70;
    const Weights w(types.weight, out, in, 7);
    const Linear linear = b->make_linear({&w.array(), 1}, {});
    for (const int64_t rows : {2, 3, 7, 8, 9, 33, 257}) {
      GuardedMatrix x(types.x, rows, in), y(types.x, rows, out);
      x.fill_random(8);
      b->linear(y.tensor(), x.tensor(), linear);
      for (int64_t m = 0; m < rows; ++m) {
        GuardedMatrix alone(types.x, 1, out);
        b->linear(alone.tensor(), x.tensor().slice_rows(m, 1), linear);
        ASSERT_TRUE(y.same_row(m, alone, 0)) << "row " << m << " of " << rows;
      }
    }
  }
}

TEST_P(LinearOnIsa, ThreadsDoNotChangeBits) {
  const int64_t rows = 9, in = 515, out = 300;
  for (const Types& types : all_types()) {
    const Weights w(types.weight, out, in, 9);
    GuardedMatrix x(types.x, rows, in), first(types.x, rows, out);
    x.fill_random(10);
    for (const int threads : {1, 2, 3, 7}) {
      const auto b = backend(threads);
      const Linear linear = b->make_linear({&w.array(), 1}, {});
      GuardedMatrix y(types.x, rows, out);
      b->linear(y.tensor(), x.tensor(), linear);
      if (threads == 1) b->linear(first.tensor(), x.tensor(), linear);
      for (int64_t m = 0; m < rows; ++m) ASSERT_TRUE(y.same_row(m, first, m)) << threads;
    }
  }
}

TEST_P(LinearOnIsa, StackedWeightsEqualTheirParts) {
  const auto b = backend();
  for (const Types& types : all_types()) {
    const int64_t in = 65;
    const Weights one(types.weight, 33, in, 11), two(types.weight, 7, in, 12);
    const HostArray parts[] = {one.array(), two.array()};
    const Linear stacked = b->make_linear(parts, {});
    const Linear alone = b->make_linear({&parts[1], 1}, {});
    GuardedMatrix x(types.x, 2, in), y(DType::kF32, 2, 40), z(DType::kF32, 2, 7);
    x.fill_random(13);
    b->linear(y.tensor(), x.tensor(), stacked);
    b->linear(z.tensor(), x.tensor(), alone);
    for (int64_t o = 0; o < 7; ++o) EXPECT_EQ(y.at(1, 33 + o), z.at(1, o));
  }
}

// A row with NaN must not change other rows, and must stay NaN.
TEST_P(LinearOnIsa, NanStaysInItsRow) {
  const auto b = backend();
  for (const Types& types : all_types()) {
    const Weights w(types.weight, 40, 64, 14);
    const Linear linear = b->make_linear({&w.array(), 1}, {});
    GuardedMatrix x(types.x, 3, 64), y(types.x, 3, 40);
    x.fill_random(15);
    x.set(1, 17, std::numeric_limits<float>::quiet_NaN());
    b->linear(y.tensor(), x.tensor(), linear);
    for (int64_t o = 0; o < 40; ++o) {
      EXPECT_FALSE(std::isnan(y.at(0, o)));
      EXPECT_TRUE(std::isnan(y.at(1, o)));
      EXPECT_FALSE(std::isnan(y.at(2, o)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, LinearOnIsa, ::testing::ValuesIn(cpu_instruction_sets()),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(Linear, ReportsMismatchedShapes) {
  const auto b = make_cpu_backend(1);
  const Weights w(DType::kF32, 4, 8, 16);
  const Linear linear = b->make_linear({&w.array(), 1}, {});
  const Buffer memory = b->allocate(4096);
  const Tensor x = memory.view(DType::kF32, {2, 7}), y = memory.view(DType::kF32, {2, 4}, 1024);
  try {
    b->linear(y, x, linear);
    FAIL() << "a product of 7 columns with 8";
  } catch (const ContractError& error) {
    EXPECT_STREQ(error.what(), "linear: columns of x is 7 but the input of the weight is 8");
  }
}

TEST(Linear, CountsBytesAndFlops) {
  const auto b = make_cpu_backend(1);
  const Weights w(DType::kBf16, 4, 8, 17);
  const Linear linear = b->make_linear({&w.array(), 1}, {});
  const Buffer memory = b->allocate(4096);
  const Tensor x = memory.view(DType::kBf16, {2, 8}), y = memory.view(DType::kF32, {2, 4}, 1024);
  b->linear(y, x, linear);
  EXPECT_EQ(b->meter().of(Op::kLinear).calls, 1);
  EXPECT_EQ(b->meter().of(Op::kLinear).bytes, 4 * 8 * 2 + 2 * 8 * 2 + 2 * 4 * 4);
  EXPECT_EQ(b->meter().total().flops, 2 * 2 * 4 * 8);
}

TEST(CpuBackend, RefusesAnUnknownInstructionSet) {
  try {
    make_cpu_backend(1, "avx1024");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
    EXPECT_NE(std::string(error.what()).find("portable"), std::string::npos);
  }
}

TEST(CpuBackend, AllocatesZerosOnLineBoundaries) {
  const auto b = make_cpu_backend(1);
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{5} << 20}) {
    const Buffer buffer = b->allocate(bytes);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    for (int64_t i = 0; i < bytes; i += 97) {
      ASSERT_EQ(static_cast<std::byte*>(buffer.data())[i], std::byte{0});
    }
  }
  EXPECT_THROW(b->allocate(int64_t{1} << 60), Error);
}

}  // namespace
}  // namespace bifrons
