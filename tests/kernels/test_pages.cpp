// Paged KV cache: pages that sequences share, and page tables with unused entries.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

constexpr int64_t kHeads = 2, kSize = 32, kSequences = 3, kPages = 7, kColumns = 3;

class Pages : public ::testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    b = backend_under_test();
  }
  GuardedTensor cache(uint32_t seed) {
    return GuardedTensor(*b, GetParam(), {kHeads, kPages, kPageTokens, kSize},
                         spread(seed, kHeads * kPages * kPageTokens * kSize, GetParam()));
  }
  // Attention of one row of every sequence at its position.
  Values read(const GuardedTensor& k, const GuardedTensor& v, const Values& table,
              const Values& positions) {
    const GuardedTensor q(*b, GetParam(), {kSequences, kHeads * kSize},
                          spread(3, kSequences * kHeads * kSize, GetParam()));
    const GuardedTensor y(*b, GetParam(), {kSequences, kHeads * kSize});
    const GuardedTensor pages(*b, DType::kI32, {kSequences, kColumns}, table);
    const GuardedTensor sequences(*b, DType::kI32, {kSequences}, {0, 1, 2});
    const GuardedTensor at(*b, DType::kI32, {kSequences}, positions);
    b->attention(y.tensor(), q.tensor(), {k.tensor(), v.tensor(), pages.tensor()},
                 {sequences.tensor(), at.tensor()});
    return y.values();
  }

  std::unique_ptr<Backend> b;
};

// Sequences 0 and 2 share their first page; the bits are those of a sequence with its own copy.
TEST_P(Pages, SharedPagesEqualCopies) {
  const GuardedTensor k = cache(1), v = cache(2);
  const Values positions = {20, 15, 40};
  const Values shared = read(k, v, {4, 1, -1, /**/ 2, -1, -1, /**/ 4, 3, 0}, positions);
  for (const GuardedTensor* all : {&k, &v}) {
    constexpr int64_t kPage = kPageTokens * kSize;
    const Tensor heads = all->tensor().reshape({kHeads, kPages * kPage});
    b->copy(heads.slice_cols(6 * kPage, kPage), heads.slice_cols(4 * kPage, kPage));
  }
  const Values copied = read(k, v, {4, 1, -1, /**/ 2, -1, -1, /**/ 6, 3, 0}, positions);
  EXPECT_EQ(difference(shared, copied), "");
}

TEST_P(Pages, ATableOfAnotherShapeBreaksTheContract) {
  const GuardedTensor k = cache(1), v = cache(2);
  const GuardedTensor q(*b, GetParam(), {1, kHeads * kSize}, spread(3, kHeads * kSize, GetParam()));
  const GuardedTensor y(*b, GetParam(), {1, kHeads * kSize});
  const GuardedTensor zero(*b, DType::kI32, {1}, {0});
  const GuardedTensor floats(*b, DType::kF32, {1, 1}, {0});
  const TokenRows rows{zero.tensor(), zero.tensor()};
  EXPECT_THROW(
      b->attention(y.tensor(), q.tensor(), {k.tensor(), v.tensor(), floats.tensor()}, rows),
      ContractError);
  EXPECT_THROW(b->attention(y.tensor(), q.tensor(), {k.tensor(), v.tensor(), zero.tensor()}, rows),
               ContractError);
}

// A device cannot throw; it reads and writes nothing outside of the cache.
TEST_P(Pages, PositionsWithoutAPageAreIgnored) {
  const GuardedTensor k = cache(1), v = cache(2);
  for (const double page : {-1.0, static_cast<double>(kPages)}) {
    const Values table = {0, page, -1, /**/ 1, -1, -1, /**/ 2, -1, -1};
    if (b->memory_space() == MemorySpace::kHost) {
      EXPECT_THROW(read(k, v, table, {16, 0, 0}), ContractError);
    } else {
      EXPECT_EQ(read(k, v, table, {16, 0, 0}).size(), kSequences * kHeads * kSize);
    }
  }
  EXPECT_TRUE(k.untouched() && v.untouched());
}

TEST_P(Pages, AnIdleRowReadsNothingAndGivesZeros) {
  const GuardedTensor k = cache(1), v = cache(2);
  const Values table = {4, 1, -1, /**/ 2, -1, -1, /**/ -1, -1, -1};
  const Values busy = read(k, v, table, {20, 15, -1}), idle = read(k, v, table, {-1, 15, -1});
  constexpr int64_t kRow = kHeads * kSize;
  for (int64_t i = 0; i < kSequences * kRow; ++i) {
    EXPECT_EQ(idle[i], i / kRow == 1 ? busy[i] : 0.0) << i;
  }
}

// Windows of two sequences that take turns, and heads of the size of published models, for which
// rows of one sequence share what is read. The windows cross the border of a chunk of keys; behind
// them lies NaN, and their last columns are idle.
class SharedRows : public Pages {
 protected:
  static constexpr int64_t kHead = 128, kQueries = 2, kKeys = 1, kPagesOfOne = 18;
  static constexpr int64_t kWidth = 11, kBegin = 250, kIdle = 2, kRows = 2 * kWidth;

  GuardedTensor filled(uint32_t seed) {
    Values values = spread(seed, kKeys * 2 * kPagesOfOne * kPageTokens * kHead, GetParam());
    constexpr int64_t kOfOne = kPagesOfOne * kPageTokens;
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t position = static_cast<int64_t>(i) / kHead % kOfOne;
      if (position >= kBegin + kWidth - kIdle) values[i] = NAN;
    }
    return GuardedTensor(*b, GetParam(), {kKeys, 2 * kPagesOfOne, kPageTokens, kHead}, values);
  }
  Values read_rows(int64_t shared, int64_t stride) {
    const GuardedTensor k = filled(1), v = filled(2);
    Values table, sequences, positions;
    for (int64_t i = 0; i < 2 * kPagesOfOne; ++i) table.push_back(static_cast<double>(i));
    for (int64_t m = 0; m < kRows; ++m) {
      sequences.push_back(static_cast<double>(m % 2));
      positions.push_back(m / 2 < kWidth - kIdle ? static_cast<double>(kBegin + m / 2) : -1.0);
    }
    const GuardedTensor pages(*b, DType::kI32, {2, kPagesOfOne}, table);
    const GuardedTensor sequence(*b, DType::kI32, {kRows}, sequences);
    const GuardedTensor position(*b, DType::kI32, {kRows}, positions);
    const GuardedTensor q(*b, GetParam(), {kRows, kQueries * kHead},
                          spread(3, kRows * kQueries * kHead, GetParam()));
    const GuardedTensor y(*b, GetParam(), {kRows, kQueries * kHead});
    b->attention(y.tensor(), q.tensor(), {k.tensor(), v.tensor(), pages.tensor()},
                 {sequence.tensor(), position.tensor(), shared, stride});
    EXPECT_TRUE(y.guards_intact());
    return y.values();
  }
};

TEST_P(SharedRows, AHintChangesNothing) {
  const Values alone = read_rows(1, 1);
  for (const double value : alone) ASSERT_TRUE(std::isfinite(value));
  EXPECT_EQ(difference(read_rows(kWidth, 2), alone), "");
  EXPECT_EQ(difference(read_rows(4, 2), alone), "") << "the last group is not whole";
  EXPECT_EQ(difference(read_rows(kRows, 1), alone), "") << "a wrong hint";
  EXPECT_EQ(difference(read_rows(1000, 1000), alone), "") << "more than there are";
}

INSTANTIATE_TEST_SUITE_P(Types, SharedRows, ::testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });
INSTANTIATE_TEST_SUITE_P(Types, Pages, ::testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace bifrons::testing
