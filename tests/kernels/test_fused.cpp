// Fused ops equal their parts, bit for bit.
#include <gtest/gtest.h>

#include <tuple>

#include "tests/kernels/op_case.h"
#include "tests/support/paged.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

struct FusedShape {
  int64_t rows, in;
  int64_t heads, kv_heads, size;  // of norm_linear_rope; heads * size outputs of swiglu
  int64_t gap;                    // elements between rows of x
  bool fuses;                     // a device has one kernel for it, in bf16
};

// Few, more and many rows (a device has a kernel for each), rows that are not whole vectors or not
// aligned to vectors, and heads that are not whole tiles, which a device does not fuse.
const FusedShape kShapes[] = {
    {1, 32, 2, 1, 32, 8, true},   {2, 544, 3, 3, 64, 0, true},  {8, 136, 4, 2, 32, 16, true},
    {5, 4104, 2, 2, 64, 8, true}, {8, 131, 4, 2, 32, 5, false}, {2, 64, 2, 2, 32, 3, true},
    {9, 64, 2, 2, 32, 8, true},   {3, 40, 2, 1, 10, 8, false},  {2, 2080, 1, 1, 128, 8, true},
    {16, 544, 3, 3, 64, 8, true}, {40, 136, 3, 1, 64, 8, true}, {70, 136, 1, 1, 128, 0, true}};

Values turns(int64_t capacity, int64_t half, DType dtype, uint32_t seed) {
  return spread(seed, capacity * half, dtype);
}

class Fused : public ::testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    b = backend_under_test();
  }

  GuardedTensor tensor(DType dtype, std::vector<int64_t> shape, const Values& values = {},
                       int64_t gap = 0) {
    return GuardedTensor(*b, dtype, shape, values, gap);
  }
  Linear linear(int64_t out, int64_t in, uint32_t seed) {
    const HostValues weight(spread(seed, out * in, GetParam()), GetParam(), out, in);
    return b->make_linear({&weight.array, 1}, {});
  }
  Norm norm(int64_t n) {
    return b->make_norm(HostValues(spread(3, n, DType::kF32), DType::kF32, 1, n).array, nullptr);
  }

  // Checks how often the fused kernel of the device ran since `before`. The CPU has no fused
  // kernels.
  void expect_fused(const FusedShape& s, Op op, int64_t before) {
    const bool expected =
        s.fuses && GetParam() == DType::kBf16 && b->memory_space() == MemorySpace::kDevice;
    EXPECT_EQ(b->meter().of(op).calls - before, expected ? 1 : 0) << s.rows << " x " << s.in;
  }

  std::unique_ptr<Backend> b;
};

TEST_P(Fused, NormLinearSwiglu) {
  const DType dtype = GetParam();
  for (const FusedShape& s : kShapes) {
    const int64_t half = s.heads * s.size;
    const Linear weight = linear(2 * half, s.in, 1);
    const Norm n = norm(s.in);
    const GuardedTensor x = tensor(dtype, {s.rows, s.in}, spread(2, s.rows * s.in, dtype), s.gap);
    const GuardedTensor normed = tensor(dtype, {s.rows, s.in});
    const GuardedTensor both = tensor(dtype, {s.rows, 2 * half});
    const GuardedTensor parts = tensor(dtype, {s.rows, half}, {}, 5);
    const GuardedTensor fused = tensor(dtype, {s.rows, half}, {}, 5);
    b->rms_norm(normed.tensor(), x.tensor(), n, 1e-5);
    b->linear(both.tensor(), normed.tensor(), weight);
    b->swiglu(parts.tensor(), both.tensor());
    const int64_t before = b->meter().of(Op::kNormLinearSwiglu).calls;
    OpTimes times;
    b->time_ops(&times);
    b->norm_linear_swiglu(fused.tensor(), x.tensor(), n, 1e-5, weight, normed.tensor(),
                          both.tensor());
    b->time_ops(nullptr);
    expect_fused(s, Op::kNormLinearSwiglu, before);
    // The fused kernel was timed if it ran, otherwise its parts.
    const bool ran_fused = b->meter().of(Op::kNormLinearSwiglu).calls > before;
    EXPECT_EQ(times.of(Op::kNormLinearSwiglu) > 0, ran_fused);
    EXPECT_EQ(times.of(Op::kLinear) > 0, !ran_fused);
    EXPECT_EQ(difference(fused.values(), parts.values()), "") << s.rows << " x " << s.in;
    EXPECT_TRUE(fused.guards_intact() && x.untouched());
  }
}

TEST_P(Fused, NormLinearGelu) {
  const DType dtype = GetParam();
  for (const FusedShape& s : kShapes) {
    const int64_t out = 2 * s.heads * s.size;
    const HostValues matrix(spread(1, out * s.in, dtype), dtype, out, s.in);
    const HostValues shift(spread(4, out, dtype), dtype, 1, out);
    const Linear weight = b->make_linear({&matrix.array, 1}, {&shift.array, 1});
    const Norm n = norm(s.in);
    const GuardedTensor x = tensor(dtype, {s.rows, s.in}, spread(2, s.rows * s.in, dtype), s.gap);
    const GuardedTensor normed = tensor(dtype, {s.rows, s.in});
    const GuardedTensor parts = tensor(dtype, {s.rows, out}, {}, 5);
    const GuardedTensor fused = tensor(dtype, {s.rows, out}, {}, 5);
    b->rms_norm(normed.tensor(), x.tensor(), n, 1e-5);
    b->linear(parts.tensor(), normed.tensor(), weight);
    b->gelu(parts.tensor(), parts.tensor());
    b->norm_linear_gelu(fused.tensor(), x.tensor(), n, 1e-5, weight, normed.tensor());
    EXPECT_EQ(difference(fused.values(), parts.values()), "") << s.rows << " x " << s.in;
    EXPECT_TRUE(fused.guards_intact() && x.untouched());
  }
}

TEST_P(Fused, NormLinearRope) {
  const DType dtype = GetParam();
  constexpr int64_t kSequences = 3, kCapacity = 2 * kPageTokens;
  for (const FusedShape& s : kShapes) {
    const int64_t out = (s.heads + 2 * s.kv_heads) * s.size, cols = s.heads * s.size;
    const Linear weight = linear(out, s.in, 4);
    const Norm n = norm(s.in);
    Values sequence, position;
    for (int64_t m = 0; m < s.rows; ++m) {
      sequence.push_back(static_cast<double>(m % kSequences));
      const int64_t at = m / kSequences * 5 % 27;  // no two rows of a sequence are at one position
      position.push_back(m == 3 ? -1.0 : static_cast<double>(at));  // row 3 is idle
    }
    const GuardedTensor sequences = tensor(DType::kI32, {s.rows}, sequence);
    const GuardedTensor positions = tensor(DType::kI32, {s.rows}, position);
    const TokenRows rows{sequences.tensor(), positions.tensor()};
    const int64_t half = s.size / 2;
    const GuardedTensor cos =
        tensor(DType::kF32, {kCapacity, half}, turns(kCapacity, half, dtype, 5));
    const GuardedTensor sin =
        tensor(DType::kF32, {kCapacity, half}, turns(kCapacity, half, dtype, 6), 2);
    const RopeTable rope{cos.tensor(), sin.tensor()};
    const GuardedTensor x = tensor(dtype, {s.rows, s.in}, spread(7, s.rows * s.in, dtype), s.gap);
    const GuardedTensor normed = tensor(dtype, {s.rows, s.in});
    const GuardedTensor qkv = tensor(dtype, {s.rows, out});
    const Paging paging({kSequences, s.heads, s.kv_heads, kCapacity, s.size});
    const GuardedTensor table =
        tensor(DType::kI32, paging.table_shape(), paging.table(Values(kSequences, kCapacity - 1)));
    const std::vector cache = paging.shape();
    const GuardedTensor q = tensor(dtype, {s.rows, cols}, {}, 5), k = tensor(dtype, cache),
                        v = tensor(dtype, cache);
    const GuardedTensor fused_q = tensor(dtype, {s.rows, cols}, {}, 5),
                        fused_k = tensor(dtype, cache), fused_v = tensor(dtype, cache);
    b->rms_norm(normed.tensor(), x.tensor(), n, 1e-5);
    b->linear(qkv.tensor(), normed.tensor(), weight);
    b->rope_append(q.tensor(), {k.tensor(), v.tensor(), table.tensor()}, qkv.tensor(), rope, rows);
    const int64_t before = b->meter().of(Op::kNormLinearRope).calls;
    b->norm_linear_rope(fused_q.tensor(), {fused_k.tensor(), fused_v.tensor(), table.tensor()},
                        x.tensor(), n, 1e-5, weight, rope, rows, normed.tensor(), qkv.tensor());
    expect_fused(s, Op::kNormLinearRope, before);
    const std::string name = std::to_string(s.rows) + " x " + std::to_string(s.in);
    EXPECT_EQ(difference(fused_q.values(), q.values()), "") << name;
    EXPECT_EQ(difference(fused_k.values(), k.values()), "") << name;
    EXPECT_EQ(difference(fused_v.values(), v.values()), "") << name;
    EXPECT_TRUE(fused_q.guards_intact() && fused_k.guards_intact() && fused_v.guards_intact());
  }
}

// The ops at the end of a decode step; logits are f32 and ids i32 for every activation dtype.
class FusedDrawing : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = no_backend_because(); !why.empty()) GTEST_SKIP() << why;
    b = backend_under_test();
  }
  GuardedTensor numbers(const Values& values) {
    return GuardedTensor(*b, DType::kF32, {static_cast<int64_t>(values.size())}, values);
  }
  GuardedTensor integers(std::vector<int64_t> shape, const Values& values, int64_t gap = 0) {
    return GuardedTensor(*b, DType::kI32, shape, values, gap);
  }
  template <typename Value>
  static Values each(int64_t n, const Value& value) {
    Values values;
    for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<double>(value(i)));
    return values;
  }
  void expect_fused(Op op, int64_t calls) {
    EXPECT_EQ(b->meter().of(op).calls, b->memory_space() == MemorySpace::kDevice ? calls : 0);
  }

  std::unique_ptr<Backend> b;
};

TEST_F(FusedDrawing, GuideSample) {
  int64_t calls = 0;
  for (const auto& [pictures, codes, rows] :
       {std::tuple{1, 5, 2}, {8, 2049, 2}, {12, 5000, 2}, {1, 5, 3}, {12, 2049, 3}, {3, 5000, 5}}) {
    Values values = spread(1, int64_t{rows} * pictures * codes, DType::kF32);
    for (double& value : values) value *= 8;
    if (pictures > 8) values[9 * rows * codes + 7] = NAN;  // its picture cannot be sampled
    const GuardedTensor logits(*b, DType::kF32, {rows * pictures, codes}, values, 3);
    // Settings: greedy, all codes, top-k, top-p, both.
    const GuardedTensor scale =
        numbers(each((rows - 1) * pictures, [](int64_t p) { return 1 + p % 5; }));
    const GuardedTensor temperature =
        numbers(each(pictures, [](int64_t p) { return p % 5 == 0 ? 0 : 1; }));
    const GuardedTensor top_p =
        numbers(each(pictures, [](int64_t p) { return p % 5 > 2 ? 0.875 : 1; }));
    const GuardedTensor top_k =
        integers({pictures}, each(pictures, [](int64_t p) { return p % 2 == 0 ? 40 : 0; }));
    const GuardedTensor seed =
        integers({pictures, 2}, each(2 * pictures, [](int64_t i) { return i; }));
    const GuardedTensor step =
        integers({pictures}, each(pictures, [](int64_t p) { return 7 * p; }));
    const SampleControls controls{temperature.tensor(), top_k.tensor(), top_p.tensor(),
                                  seed.tensor(), step.tensor()};
    const GuardedTensor guided(*b, DType::kF32, {pictures, codes}, {}, 5);
    const GuardedTensor parts(*b, DType::kI32, {rows * pictures}),
        fused(*b, DType::kI32, {rows * pictures});
    b->guide(guided.tensor(), logits.tensor(), scale.tensor());
    b->sample(parts.tensor(), guided.tensor(), controls);
    const GuardedTensor made(*b, DType::kF32, {pictures, codes}, {}, 5);
    b->guide_sample(fused.tensor(), made.tensor(), logits.tensor(), scale.tensor(), controls);
    EXPECT_EQ(difference(fused.values(), parts.values()), "") << pictures << " of " << codes;
    EXPECT_EQ(difference(made.values(), guided.values()), "") << pictures << " of " << codes;
    EXPECT_TRUE(fused.guards_intact() && made.guards_intact() && logits.untouched());
    expect_fused(Op::kGuideSample, ++calls);
  }
}

TEST_F(FusedDrawing, FinishStep) {
  constexpr int64_t kTokens = 5, kPlaces = 2;
  int64_t calls = 0;
  for (const auto& [n, rows] : {std::pair<int64_t, int64_t>{1, 2}, {3, 2}, {300, 2}, {300, 3}}) {
    // Every second code of a picture is forced; some steps are after the last one.
    const GuardedTensor forced = integers(
        {n, kTokens}, each(n * kTokens, [](int64_t i) { return i % 2 == 0 ? 1000 + i : -1; }), 3);
    struct State {
      GuardedTensor ids, ring, step, position;
    };
    const auto state = [&, n = n, rows = rows] {
      return State{integers({rows * n}, each(rows * n, [r = rows](int64_t i) { return i / r; })),
                   integers({n, kPlaces}, Values(n * kPlaces, -5.0), 3),
                   integers({n}, each(n, [](int64_t p) { return p % (kTokens + 2); })),
                   integers({rows * n}, each(rows * n, [](int64_t i) { return 10 * i; }))};
    };
    const State parts = state(), fused = state();
    b->force_ids(parts.ids.tensor(), forced.tensor(), parts.step.tensor());
    b->record_ids(parts.ring.tensor(), parts.ids.tensor(), parts.step.tensor());
    b->advance(parts.position.tensor());
    b->advance(parts.step.tensor());
    b->finish_step(fused.ids.tensor(), forced.tensor(), fused.ring.tensor(), fused.step.tensor(),
                   fused.position.tensor());
    for (GuardedTensor State::*const what :
         {&State::ids, &State::ring, &State::step, &State::position}) {
      EXPECT_EQ(difference((fused.*what).values(), (parts.*what).values()), "") << n;
      EXPECT_TRUE((fused.*what).guards_intact());
    }
    expect_fused(Op::kFinishStep, ++calls);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Fused, ::testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace bifrons::testing
