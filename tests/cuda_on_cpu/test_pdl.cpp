// Programmatic dependent launch (PDL): a kernel may begin before the previous one has ended. In
// this simulation, the previous kernel does not begin until it is waited for. A kernel that reads
// its results too early therefore gets old data.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "kernels/cuda/ab_timer.h"
#include "tests/cuda_on_cpu/fibers.h"
#include "tests/kernels/op_case.h"
#include "tests/support/paged.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

namespace kernels = ::bifrons::cuda;

constexpr int64_t kHidden = 64, kHeads = 2, kSize = 32, kWide = 160;

TEST(Pdl, EarlyReadsGetOldData) {
  int input = 1, seen = 0, later = 0;
  cuda_on_cpu::run_grid_pdl(
      {2}, {32}, 0,
      [&] {
        if (seen == 0) seen = input;  // the thread that comes first
        cuda_on_cpu::grid_dependency_wait();
        later = input;
      },
      [&] { cuda_on_cpu::run_grid({3}, {64}, 0, [&] { input = 2; }); });
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(later, 2);
}

TEST(Pdl, EveryBlockMustWait) {
  EXPECT_THROW(cuda_on_cpu::run_grid_pdl(
                   {2}, {32}, 0,
                   [] {
                     if (blockIdx.x == 0) cuda_on_cpu::grid_dependency_wait();
                   },
                   [] {}),
               std::logic_error);
  int threads = 0;
  cuda_on_cpu::run_grid({1}, {32}, 0, [&] { ++threads; });  // kernels without PDL need not wait
  EXPECT_EQ(threads, 32);
}

TEST(Pdl, ErrorsOfTheWorkBeforeFailTheLaunch) {
  EXPECT_THROW(cuda_on_cpu::run_grid_pdl(
                   {1}, {32}, 0, [] { cuda_on_cpu::grid_dependency_wait(); },
                   [] { cuda_on_cpu::run_grid({1}, {2048}, 0, [] {}); }),
               std::logic_error);
}

// A captured transformer layer. Each op that may use PDL comes after one that changes its input.
// The first id changes from run to run.
class Layer {
 public:
  Layer(Backend& b, int64_t rows) : b_(b), rows_(rows) {
    captured_ = b.capture([this] { step(); });
  }
  Values run() {
    captured_->run();
    b_.synchronize();
    return x_.values();
  }
  bool settled() const { return captured_->settled(); }

 private:
  static constexpr DType kType = DType::kBf16;

  Linear linear(int64_t out, int64_t in, uint32_t seed) {
    const HostValues weight(spread(seed, out * in, kType), kType, out, in);
    return b_.make_linear({&weight.array, 1}, {});
  }
  void step() {
    b_.gather(x_.tensor(), inputs_, ids_.tensor());
    for (int layer = 0; layer < 2; ++layer) {
      b_.norm_linear_rope(q_.tensor(), cache(), x_.tensor(), norm_, 1e-5, qkv_, rope(), rows(),
                          normed_.tensor(), qkv_out_.tensor());
      b_.attention(mixed_.tensor(), q_.tensor(), cache(), rows());
      b_.linear_add(x_.tensor(), mixed_.tensor(), out_);
      b_.norm_linear_swiglu(gated_.tensor(), x_.tensor(), norm_, 1e-5, up_, normed_.tensor(),
                            up_out_.tensor());
      b_.linear_add(x_.tensor(), gated_.tensor(), down_);
    }
    b_.advance(ids_.tensor());
    b_.advance(positions_.tensor());
  }
  KvCache cache() const { return {k_.tensor(), v_.tensor(), table_.tensor()}; }
  RopeTable rope() const { return {cos_.tensor(), sin_.tensor()}; }
  TokenRows rows() const { return {sequences_.tensor(), positions_.tensor()}; }
  Values counted(int64_t modulus) const {
    Values values(rows_);
    for (int64_t i = 0; i < rows_; ++i) values[i] = static_cast<double>(i % modulus);
    return values;
  }
  GuardedTensor zeros(DType type, const std::vector<int64_t>& shape, int64_t n) {
    return GuardedTensor(b_, type, shape, Values(n, 0.0));
  }

  Backend& b_;
  int64_t rows_;
  Paging paging_{{rows_, kHeads, kHeads, 32, kSize}};
  HostValues rows_of_ids_{spread(1, 8 * kHidden, kType), kType, 8, kHidden};
  HostValues ones_{Values(kHidden, 1.0), DType::kF32, 1, kHidden};
  Table inputs_ = b_.make_table(rows_of_ids_.array);
  Norm norm_ = b_.make_norm(ones_.array, nullptr);
  Linear qkv_ = linear(3 * kHidden, kHidden, 2), out_ = linear(kHidden, kHidden, 3);
  Linear up_ = linear(2 * kWide, kHidden, 4), down_ = linear(kHidden, kWide, 5);
  GuardedTensor x_ = zeros(kType, {rows_, kHidden}, rows_* kHidden);
  GuardedTensor normed_{b_, kType, {rows_, kHidden}}, qkv_out_{b_, kType, {rows_, 3 * kHidden}};
  GuardedTensor q_{b_, kType, {rows_, kHidden}}, mixed_{b_, kType, {rows_, kHidden}};
  GuardedTensor up_out_{b_, kType, {rows_, 2 * kWide}}, gated_{b_, kType, {rows_, kWide}};
  GuardedTensor ids_{b_, DType::kI32, {rows_}, counted(3)};
  GuardedTensor sequences_{b_, DType::kI32, {rows_}, counted(rows_)};
  GuardedTensor positions_{b_, DType::kI32, {rows_}, Values(rows_, 0.0)};
  GuardedTensor table_{b_, DType::kI32, paging_.table_shape(), paging_.table(Values(rows_, 31.0))};
  int64_t cells_ = paging_.pages() * kHeads * kPageTokens * kSize;
  GuardedTensor k_ = zeros(kType, paging_.shape(), cells_),
                v_ = zeros(kType, paging_.shape(), cells_);
  GuardedTensor cos_{b_, DType::kF32, {32, kSize / 2}, spread(6, 32 * kSize / 2, DType::kF32)};
  GuardedTensor sin_{b_, DType::kF32, {32, kSize / 2}, spread(7, 32 * kSize / 2, DType::kF32)};
  std::unique_ptr<CapturedStep> captured_;
};

// Few rows, for which ops are fused, and many rows, which use the tiled GEMM.
TEST(Pdl, AStepIsTheSame) {
  const auto in_turn = backend_under_test(false), early = backend_under_test(true);
  for (const int64_t rows : {2, 40}) {
    Layer expected(*in_turn, rows), layer(*early, rows);
    Values before;
    for (int run = 0; run < 4; ++run) {
      const Values x = layer.run();
      EXPECT_EQ(difference(x, expected.run()), "") << rows << " rows, run " << run;
      EXPECT_NE(difference(x, before), "") << "every run has other ids";
      before = x;
    }
  }
}

TEST(Pdl, AutotunerKeepsTheFasterStep) {
  constexpr int kTried = kernels::AbTimer::kTurns, kMore = 3;
  const auto in_turn = backend_under_test(false), free = backend_under_test();
  for (const bool faster : {false, true}) {
    cuda_on_cpu::machine().pdl_milliseconds = faster ? 0.99f : 1.01f;
    Layer expected(*in_turn, 2), layer(*free, 2);
    int64_t before = cuda_on_cpu::pdl_graphs();
    for (int run = 0; run < kTried + kMore; ++run) {
      EXPECT_EQ(layer.settled(), run > kTried) << run;
      EXPECT_EQ(difference(layer.run(), expected.run()), "") << run;
      if (run + 1 != kTried) continue;
      EXPECT_EQ(cuda_on_cpu::pdl_graphs() - before, kTried / 2);
      before = cuda_on_cpu::pdl_graphs();
    }
    EXPECT_EQ(cuda_on_cpu::pdl_graphs() - before, faster ? kMore : 0);
  }
  cuda_on_cpu::machine() = {};
}

TEST(Pdl, AutotunerComparesMedians) {
  kernels::AbTimer timer;
  std::vector<int> ways;
  while (const std::optional<int> way = timer.next()) ways.push_back(*way);
  EXPECT_EQ(static_cast<int>(ways.size()), kernels::AbTimer::kTurns);
  EXPECT_EQ(std::count(ways.begin(), ways.end(), 1), kernels::AbTimer::kTurns / 2);
  // Variant 1 is slightly faster, except in two disturbed runs.
  for (size_t turn = 0; turn < ways.size(); ++turn) {
    EXPECT_FALSE(timer.winner());
    const bool disturbed = turn == 1 || turn == 6;
    timer.took(ways[turn], disturbed ? 50.0f : ways[turn] == 1 ? 0.99f : 1.0f);
  }
  EXPECT_EQ(timer.winner(), 1);
}

}  // namespace
}  // namespace bifrons::testing
