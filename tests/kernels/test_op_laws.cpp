// Row contract of every op on every backend: other rows change nothing.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/op_case.h"
#include "tests/support/paged.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

// Rows [first, first + n) of a matrix of values.
Values rows_of(const Values& values, int64_t cols, int64_t first, int64_t n) {
  return {values.begin() + first * cols, values.begin() + (first + n) * cols};
}

// An op that maps rows [M, in] to rows [M, out].
struct RowOp {
  std::string name;
  int64_t in, out;
  std::function<void(Backend&, const Tensor& y, const Tensor& x)> run;
};

Values apply(const RowOp& op, Backend& b, DType dtype, const Values& x) {
  const int64_t rows = static_cast<int64_t>(x.size()) / op.in;
  const GuardedTensor from(b, dtype, {rows, op.in}, x);
  const GuardedTensor to(b, dtype, {rows, op.out}, Values(rows * op.out, 0.5));
  op.run(b, to.tensor(), from.tensor());
  return to.values();
}

void expect_independent_rows(const RowOp& op, Backend& b, DType dtype, int64_t rows = 37) {
  const Values x = spread(3, rows * op.in, dtype);
  const Values together = apply(op, b, dtype, x);
  for (int64_t m : {int64_t{0}, int64_t{17}, rows - 1}) {
    EXPECT_EQ(
        difference(apply(op, b, dtype, rows_of(x, op.in, m, 1)), rows_of(together, op.out, m, 1)),
        "")
        << op.name + " alone";
  }
  // Rows in reverse order give results in reverse order.
  Values backwards, expected;
  for (int64_t m = rows - 1; m >= 0; --m) {
    const Values from = rows_of(x, op.in, m, 1), to = rows_of(together, op.out, m, 1);
    backwards.insert(backwards.end(), from.begin(), from.end());
    expected.insert(expected.end(), to.begin(), to.end());
  }
  EXPECT_EQ(difference(apply(op, b, dtype, backwards), expected), "") << op.name + " permuted";
}

TEST(OpLaws, RowsAreIndependent) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  for (DType dtype : {DType::kF32, DType::kBf16}) {
    for (DType stored : {DType::kF32, DType::kBf16, DType::kF16}) {
      const HostValues weight(spread(1, 96 * 130, stored), stored, 96, 130);
      const Linear linear = b->make_linear({&weight.array, 1}, {});
      expect_independent_rows(
          {"linear", 130, 96,
           [&](Backend& on, const Tensor& y, const Tensor& x) { on.linear(y, x, linear); }},
          *b, dtype);
      expect_independent_rows(
          {"linear_add", 130, 96,
           [&](Backend& on, const Tensor& y, const Tensor& x) { on.linear_add(y, x, linear); }},
          *b, dtype);
    }
    const HostValues weight(spread(2, 130, DType::kF32), DType::kF32, 1, 130);
    const Norm norm = b->make_norm(weight.array, nullptr);
    expect_independent_rows(
        {"rms_norm", 130, 130,
         [&](Backend& on, const Tensor& y, const Tensor& x) { on.rms_norm(y, x, norm, 1e-6); }},
        *b, dtype);
    expect_independent_rows(
        {"swiglu", 130, 65, [](Backend& on, const Tensor& y, const Tensor& x) { on.swiglu(y, x); }},
        *b, dtype);
    expect_independent_rows(
        {"gelu", 130, 130, [](Backend& on, const Tensor& y, const Tensor& x) { on.gelu(y, x); }},
        *b, dtype);
  }
}

struct AttentionRow {
  double sequence, position;
};

Values attend(Backend& b, DType dtype, const KvCache& cache, const std::vector<AttentionRow>& rows,
              const Values& q, int64_t cols) {
  Values sequence, position;
  for (const AttentionRow& row : rows) {
    sequence.push_back(row.sequence);
    position.push_back(row.position);
  }
  const int64_t n = static_cast<int64_t>(rows.size());
  const GuardedTensor from(b, dtype, {n, cols}, q), to(b, dtype, {n, cols});
  const GuardedTensor sequences(b, DType::kI32, {n}, sequence),
      positions(b, DType::kI32, {n}, position);
  b.attention(to.tensor(), from.tensor(), cache, {sequences.tensor(), positions.tensor()});
  return to.values();
}

// Shapes for which a backend may use another kernel: many tiles of many rows (GEMM), and sums in
// many slices (split-K).
TEST(OpLaws, RowsDoNotDependOnTheirNumber) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  struct Shape {
    int64_t rows, in, out;
  };
  for (const auto& [rows, in, out] : {Shape{1025, 40, 1030}, Shape{65, 2100, 20}}) {
    const HostValues weight(spread(1, out * in, DType::kBf16), DType::kBf16, out, in);
    const Linear linear = b->make_linear({&weight.array, 1}, {});
    expect_independent_rows(
        {"linear", in, out,
         [&](Backend& on, const Tensor& y, const Tensor& x) { on.linear(y, x, linear); }},
        *b, DType::kBf16, rows);
  }
}

TEST(OpLaws, AttentionOverABatchEqualsAlone) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  const auto b = backend_under_test();
  const int64_t sequences = 3, kv_heads = 2, capacity = 300, size = 64, cols = 4 * size;
  const std::vector<AttentionRow> rows{{2, 299}, {0, 127}, {0, 128}, {1, 0}, {2, 3}, {1, 257}};
  for (const auto& [dtype, int8] : {std::pair{DType::kF32, false}, std::pair{DType::kBf16, false},
                                    std::pair{DType::kF32, true}, std::pair{DType::kBf16, true}}) {
    const Paging paging({sequences, cols / size, kv_heads, capacity, size});
    const int64_t n = paging.pages() * kv_heads * kPageTokens * size;
    const auto cached = [&, dtype = dtype, int8 = int8](uint32_t seed) {
      const Values values = spread(seed, n, dtype);
      return GuardedTensor(*b, int8 ? kInt8Cache : dtype, paging.shape(int8),
                           int8 ? int8_pages(values, size, NAN) : values);
    };
    const GuardedTensor k = cached(4), v = cached(5),
                        table(*b, DType::kI32, paging.table_shape(),
                              paging.table(Values(sequences, capacity)));
    const Values q = spread(6, static_cast<int64_t>(rows.size()) * cols, dtype);
    const KvCache cache{k.tensor(), v.tensor(), table.tensor()};
    const Values together = attend(*b, dtype, cache, rows, q, cols);
    for (size_t m = 0; m < rows.size(); ++m) {
      const int64_t at = static_cast<int64_t>(m);
      EXPECT_EQ(difference(attend(*b, dtype, cache, {rows[m]}, rows_of(q, cols, at, 1), cols),
                           rows_of(together, cols, at, 1)),
                "")
          << "attention of row " + std::to_string(m);
    }
  }
}

}  // namespace
}  // namespace bifrons::testing
