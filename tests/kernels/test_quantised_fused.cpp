// Fused ops with quantised weights equal their parts, bit for bit.
#include <gtest/gtest.h>

#include "tests/kernels/op_case.h"
#include "tests/kernels/quantised_fixture.h"
#include "tests/support/paged.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

constexpr DType kActivation = DType::kBf16;

struct QuantisedShape {
  int64_t rows, in;
  int64_t heads, kv_heads, size;
  int64_t gap;  // elements between rows of x
};

// Few, more and many rows (a device has a kernel for each), rows that are not aligned to vectors,
// for which the norm is a kernel of its own, and heads that are not whole tiles.
const QuantisedShape kQuantisedShapes[] = {
    {1, 128, 2, 1, 32, 8},  {8, 640, 3, 3, 64, 0}, {9, 256, 2, 2, 32, 8}, {16, 2304, 1, 1, 64, 8},
    {40, 384, 3, 1, 64, 8}, {2, 128, 2, 2, 32, 3}, {3, 128, 2, 1, 10, 8}};

class QuantisedFused : public ::testing::TestWithParam<LinearFormat> {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    b = backend_under_test();
  }
  GuardedTensor tensor(DType dtype, const std::vector<int64_t>& shape, const Values& values = {},
                       int64_t gap = 0) {
    return GuardedTensor(*b, dtype, shape, values, gap);
  }
  GuardedTensor rows_of(const QuantisedShape& s) {
    return tensor(kActivation, {s.rows, s.in}, spread(2, s.rows * s.in, kActivation), s.gap);
  }
  // With a bias, so that every epilogue adds one.
  Linear linear(int64_t out, int64_t in) {
    const QuantisedWeights weights(GetParam(), out, in, 1);
    const HostValues shift(spread(4, out, kActivation), kActivation, 1, out);
    return b->make_quantised_linear({&weights.array(), 1}, {&shift.array, 1});
  }
  Norm norm(int64_t n) {
    return b->make_norm(HostValues(spread(3, n, DType::kF32), DType::kF32, 1, n).array, nullptr);
  }
  void expect_fused(bool fuses, Op op) {
    EXPECT_EQ(b->meter().of(op).calls, fuses && b->memory_space() == MemorySpace::kDevice ? 1 : 0);
    b->meter().reset();
  }

  std::unique_ptr<Backend> b;
};

TEST_P(QuantisedFused, NormLinearSwiglu) {
  for (const QuantisedShape& s : kQuantisedShapes) {
    const int64_t half = s.heads * s.size;
    const Linear weight = linear(2 * half, s.in);
    const Norm n = norm(s.in);
    const GuardedTensor x = rows_of(s), normed = tensor(kActivation, {s.rows, s.in}),
                        both = tensor(kActivation, {s.rows, 2 * half}),
                        parts = tensor(kActivation, {s.rows, half}, {}, 5),
                        fused = tensor(kActivation, {s.rows, half}, {}, 5);
    b->rms_norm(normed.tensor(), x.tensor(), n, 1e-5);
    b->linear(both.tensor(), normed.tensor(), weight);
    b->swiglu(parts.tensor(), both.tensor());
    b->meter().reset();
    b->norm_linear_swiglu(fused.tensor(), x.tensor(), n, 1e-5, weight, normed.tensor(),
                          both.tensor());
    expect_fused(2 * half % 32 == 0, Op::kNormLinearSwiglu);
    EXPECT_EQ(difference(fused.values(), parts.values()), "") << s.rows << " x " << s.in;
    EXPECT_TRUE(fused.guards_intact() && x.untouched());
  }
}

TEST_P(QuantisedFused, NormLinearGelu) {
  for (const QuantisedShape& s : kQuantisedShapes) {
    const int64_t out = 2 * s.heads * s.size;
    const Linear weight = linear(out, s.in);
    const Norm n = norm(s.in);
    const GuardedTensor x = rows_of(s), normed = tensor(kActivation, {s.rows, s.in}),
                        parts = tensor(kActivation, {s.rows, out}, {}, 5),
                        fused = tensor(kActivation, {s.rows, out}, {}, 5);
    b->rms_norm(normed.tensor(), x.tensor(), n, 1e-5);
    b->linear(parts.tensor(), normed.tensor(), weight);
    b->gelu(parts.tensor(), parts.tensor());
    b->norm_linear_gelu(fused.tensor(), x.tensor(), n, 1e-5, weight, normed.tensor());
    EXPECT_EQ(difference(fused.values(), parts.values()), "") << s.rows << " x " << s.in;
    EXPECT_TRUE(fused.guards_intact() && x.untouched());
  }
}

TEST_P(QuantisedFused, NormLinearRope) {
  constexpr int64_t kSequenceCount = 3, kCapacity = 2 * kPageTokens;
  for (const QuantisedShape& s : kQuantisedShapes) {
    const int64_t out = (s.heads + 2 * s.kv_heads) * s.size, cols = s.heads * s.size;
    const int64_t half = s.size / 2;
    const Linear weight = linear(out, s.in);
    const Norm n = norm(s.in);
    Values sequence, position;
    for (int64_t m = 0; m < s.rows; ++m) {
      sequence.push_back(static_cast<double>(m % kSequenceCount));
      position.push_back(m == 3 ? -1.0 : static_cast<double>(m / kSequenceCount * 5 % 27));
    }
    const GuardedTensor sequences = tensor(DType::kI32, {s.rows}, sequence),
                        positions = tensor(DType::kI32, {s.rows}, position);
    const TokenRows rows{sequences.tensor(), positions.tensor()};
    const GuardedTensor cos = tensor(DType::kF32, {kCapacity, half},
                                     spread(5, kCapacity * half, kActivation)),
                        sin = tensor(DType::kF32, {kCapacity, half},
                                     spread(6, kCapacity * half, kActivation), 2);
    const RopeTable rope{cos.tensor(), sin.tensor()};
    const GuardedTensor x = rows_of(s), normed = tensor(kActivation, {s.rows, s.in}),
                        qkv = tensor(kActivation, {s.rows, out});
    const Paging paging({kSequenceCount, s.heads, s.kv_heads, kCapacity, s.size});
    const GuardedTensor table = tensor(DType::kI32, paging.table_shape(),
                                       paging.table(Values(kSequenceCount, kCapacity - 1)));
    const std::vector cache = paging.shape();
    const GuardedTensor q = tensor(kActivation, {s.rows, cols}, {}, 5),
                        k = tensor(kActivation, cache), v = tensor(kActivation, cache);
    const GuardedTensor fused_q = tensor(kActivation, {s.rows, cols}, {}, 5),
                        fused_k = tensor(kActivation, cache), fused_v = tensor(kActivation, cache);
    b->rms_norm(normed.tensor(), x.tensor(), n, 1e-5);
    b->linear(qkv.tensor(), normed.tensor(), weight);
    b->rope_append(q.tensor(), {k.tensor(), v.tensor(), table.tensor()}, qkv.tensor(), rope, rows);
    b->meter().reset();
    b->norm_linear_rope(fused_q.tensor(), {fused_k.tensor(), fused_v.tensor(), table.tensor()},
                        x.tensor(), n, 1e-5, weight, rope, rows, normed.tensor(), qkv.tensor());
    expect_fused(half % 16 == 0, Op::kNormLinearRope);
    const std::string name = std::to_string(s.rows) + " x " + std::to_string(s.in);
    EXPECT_EQ(difference(fused_q.values(), q.values()), "") << name;
    EXPECT_EQ(difference(fused_k.values(), k.values()), "") << name;
    EXPECT_EQ(difference(fused_v.values(), v.values()), "") << name;
    EXPECT_TRUE(fused_q.guards_intact() && fused_k.guards_intact() && fused_v.guards_intact());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantisedFused,
                         ::testing::Values(LinearFormat::kInt8, LinearFormat::kInt4),
                         [](const auto& format) { return std::string(name_of(format.param)); });

}  // namespace
}  // namespace bifrons::testing
