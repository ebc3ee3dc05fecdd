// Paged KV cache, as stored and in 8 bits: pages that sequences share, page tables with unused
// entries, and what the 8 bits are.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/kernels/op_case.h"
#include "tests/support/paged.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

constexpr int64_t kHeads = 2, kSize = 32, kSequences = 3, kPages = 7, kColumns = 3;

struct Format {
  DType dtype;  // of queries, and of keys and values that are stored as they are
  bool int8;

  DType cached() const { return int8 ? kInt8Cache : dtype; }
  int64_t columns(int64_t size) const { return size + (int8 ? kScaleBytes : 0); }
};

const Format kFormats[] = {
    {DType::kF32, false}, {DType::kBf16, false}, {DType::kF32, true}, {DType::kBf16, true}};

std::string name_of_format(const ::testing::TestParamInfo<Format>& format) {
  return std::string(name_of(format.param.dtype)) + (format.param.int8 ? "_int8_cache" : "");
}

class Pages : public ::testing::TestWithParam<Format> {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    b = backend_under_test();
  }
  // Keys or values of the pages of some heads; in 8 bits NaN gets a scale that is NaN.
  GuardedTensor cache_of(int64_t heads, int64_t pages, int64_t size, const Values& values) {
    return GuardedTensor(*b, GetParam().cached(),
                         {heads, pages, kPageTokens, GetParam().columns(size)},
                         GetParam().int8 ? int8_pages(values, size, 255) : values);
  }
  GuardedTensor cache(uint32_t seed) {
    return cache_of(kHeads, kPages, kSize,
                    spread(seed, kHeads * kPages * kPageTokens * kSize, GetParam().dtype));
  }
  // Attention of one row of every sequence at its position.
  Values read(const GuardedTensor& k, const GuardedTensor& v, const Values& table,
              const Values& positions) {
    const GuardedTensor q(*b, GetParam().dtype, {kSequences, kHeads * kSize},
                          spread(3, kSequences * kHeads * kSize, GetParam().dtype));
    const GuardedTensor y(*b, GetParam().dtype, {kSequences, kHeads * kSize});
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
    const int64_t page = kPageTokens * all->tensor().cols();
    const Tensor heads = all->tensor().reshape({kHeads, kPages * page});
    b->copy(heads.slice_cols(6 * page, page), heads.slice_cols(4 * page, page));
  }
  const Values copied = read(k, v, {4, 1, -1, /**/ 2, -1, -1, /**/ 6, 3, 0}, positions);
  EXPECT_EQ(difference(shared, copied), "");
}

TEST_P(Pages, ATableOfAnotherShapeBreaksTheContract) {
  const GuardedTensor k = cache(1), v = cache(2);
  const GuardedTensor q(*b, GetParam().dtype, {1, kHeads * kSize},
                        spread(3, kHeads * kSize, GetParam().dtype));
  const GuardedTensor y(*b, GetParam().dtype, {1, kHeads * kSize});
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
    Values values = spread(seed, kKeys * 2 * kPagesOfOne * kPageTokens * kHead, GetParam().dtype);
    constexpr int64_t kOfOne = kPagesOfOne * kPageTokens;
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t position = static_cast<int64_t>(i) / kHead % kOfOne;
      if (position >= kBegin + kWidth - kIdle) values[i] = NAN;
    }
    return cache_of(kKeys, 2 * kPagesOfOne, kHead, values);
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
    const GuardedTensor q(*b, GetParam().dtype, {kRows, kQueries * kHead},
                          spread(3, kRows * kQueries * kHead, GetParam().dtype));
    const GuardedTensor y(*b, GetParam().dtype, {kRows, kQueries * kHead});
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

INSTANTIATE_TEST_SUITE_P(Types, SharedRows, ::testing::ValuesIn(kFormats), name_of_format);
INSTANTIATE_TEST_SUITE_P(Types, Pages, ::testing::ValuesIn(kFormats), name_of_format);

class Int8Cache : public ::testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  }

  static constexpr int64_t kRows = 5, kQueries = 2, kKeys = 2;
  // k and v that a backend stores for rows of one sequence, from qkv.
  struct Stored {
    Values k, v;
  };
  static Stored append(Backend& b, int64_t size, const Values& qkv, bool int8) {
    const Format format{GetParam(), int8};
    const std::vector<int64_t> shape = {kKeys, 1, kPageTokens, format.columns(size)};
    const GuardedTensor from(b, GetParam(), {kRows, (kQueries + 2 * kKeys) * size}, qkv);
    const GuardedTensor q(b, GetParam(), {kRows, kQueries * size});
    const GuardedTensor k(b, format.cached(), shape), v(b, format.cached(), shape);
    const GuardedTensor table(b, DType::kI32, {1, 1}, {0});
    const GuardedTensor cos(b, DType::kF32, {kPageTokens, size / 2},
                            spread(8, kPageTokens * size / 2, GetParam()));
    const GuardedTensor sin(b, DType::kF32, {kPageTokens, size / 2},
                            spread(9, kPageTokens * size / 2, GetParam()));
    const GuardedTensor sequence(b, DType::kI32, {kRows}, Values(kRows, 0));
    const GuardedTensor position(b, DType::kI32, {kRows}, {3, 0, 15, 7, 8});
    b.rope_append(q.tensor(), {k.tensor(), v.tensor(), table.tensor()}, from.tensor(),
                  {cos.tensor(), sin.tensor()}, {sequence.tensor(), position.tensor()});
    EXPECT_TRUE(q.guards_intact() && k.guards_intact() && v.guards_intact());
    return {k.values(), v.values()};
  }
};

// On every backend the bytes are those of the elements that a stored cache has. So they are the
// same on all of them.
TEST_P(Int8Cache, HasTheCodesOfTheStoredElements) {
  const double poison = decode(encode({NAN}, kInt8Cache), kInt8Cache)[0];
  for (const auto& b : backends_under_test()) {
    for (const int64_t size : {2, 10, 34, 64, 128, 256}) {
      const int64_t width = (kQueries + 2 * kKeys) * size;
      Values qkv = spread(7, kRows * width, GetParam());
      const auto scale_row = [&](int64_t row, double by) {
        for (int64_t i = 0; i < width; ++i) qkv[row * width + i] *= by;
      };
      scale_row(1, 0);
      scale_row(2, 0x1p-120);  // too small for a scale
      scale_row(3, 0x1p+120);
      const Stored stored = append(*b, size, qkv, false), int8 = append(*b, size, qkv, true);
      EXPECT_EQ(difference(int8.k, int8_pages(stored.k, size, poison)), "") << size;
      EXPECT_EQ(difference(int8.v, int8_pages(stored.v, size, poison)), "") << size;
    }
  }
}

// Otherwise damaged weights would give a picture.
TEST_P(Int8Cache, KeepsThatAnElementIsNotFinite) {
  constexpr int64_t kElements = 64, kWidth = (kQueries + 2 * kKeys) * kElements;
  for (const auto& b : backends_under_test()) {
    Values qkv = spread(7, kRows * kWidth, GetParam());
    const int64_t first_v = (kQueries + kKeys) * kElements;
    qkv[first_v + 5] = NAN;  // row 0, position 3, head 0
    qkv[kWidth + first_v + kElements] =
        std::numeric_limits<double>::infinity();  // position 0, head 1
    const Values v = append(*b, kElements, qkv, true).v;
    const auto scale = [&](int64_t head, int64_t position) {
      const int64_t at = head * kPageTokens * (kElements + kScaleBytes) + position * kScaleBytes;
      const auto byte = [&](int64_t i) { return static_cast<uint32_t>(v[at + i]); };
      return std::bit_cast<float>(byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24);
    };
    EXPECT_TRUE(std::isnan(scale(0, 3)));
    EXPECT_TRUE(std::isnan(scale(1, 0)));
    EXPECT_TRUE(std::isfinite(scale(1, 3)));
    EXPECT_TRUE(std::isfinite(scale(0, 0)));
  }
}

TEST(Int8Attention, AgreesWithTheOracleOnEveryInstructionSet) {
  if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
  if (backend_is_emulated()) GTEST_SKIP() << "there is only one, which runs all cases";
  for (const auto& b : backends_under_test()) {
    for (const OpCase& op : attention_cases()) {
      if (op.name.find("int8_cache") == std::string::npos) continue;
      EXPECT_EQ(check_case(op, *b), "") << op.name << " on " << b->description();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Int8Cache, ::testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace bifrons::testing
