// Every tile of the GEMM with every kind of operand and epilogue. Which tile a product takes
// depends on its size, and the large ones need sizes that take minutes here; so each is asked for.
#include <gtest/gtest.h>

#include <functional>

#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/pair_epilogues.h"
#include "kernels/cuda/quantised_weights.h"
#include "tests/kernels/op_case.h"
#include "tests/kernels/quantised_fixture.h"
#include "tests/support/paged.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

namespace kernels = ::bifrons::cuda;

constexpr int kTiles = static_cast<int>(kernels::kGemmTiles.size());
constexpr DType kType = DType::kBf16;

class GemmTiles : public ::testing::Test {
 protected:
  GemmTiles() { cudaStreamCreateWithFlags(&stream_.handle, 0); }

  GuardedTensor tensor(const std::vector<int64_t>& shape, int64_t n, uint32_t seed) {
    return GuardedTensor(*b_, kType, shape, spread(seed, n, kType));
  }
  Linear weight(int64_t out, int64_t in) {
    const HostValues values(spread(1, out * in, kType), kType, out, in);
    return b_->make_linear({&values.array, 1}, {});
  }
  static kernels::TiledWeights tiled(const Linear& w) {
    return {static_cast<const uint4*>(w.storage.data()),
            kernels::ceil_div(w.out, kernels::kTileOut), kernels::ceil_div(w.in, kernels::kTileIn)};
  }
  static kernels::RowsOperand rows_of(const Tensor& x) {
    return {x.as<Bf16>(), x.pitch, x.rows(), x.cols(), true};
  }
  // Runs `product` with every tile; the results of all must be those of the first.
  template <typename Run, typename Result>
  void compare(int64_t m, int64_t n, bool split, const Run& run, const Result& result) {
    Values first;
    for (int tile = 0; tile < kTiles; ++tile) {
      run(kernels::plan_of(tile, split, m, n));
      const Values now = result();
      if (tile == 0) first = now;
      EXPECT_EQ(difference(now, first), "") << "tile " << tile;
    }
  }

  // Heads of q, k and v as the rows of `a`, which have `in` inputs.
  static constexpr int64_t kHeads = 2, kSize = 32, kOut = 3 * kHeads * kSize;
  template <typename A>
  void rope_pairs(const A& a, int64_t in);

  std::unique_ptr<Backend> b_ = backend_under_test();
  kernels::Stream stream_;
};

// Against the op, which has a kernel of its own for these few columns.
TEST_F(GemmTiles, RowsInBf16) {
  constexpr int64_t kM = 40, kN = 5, kK = 520;
  const Linear w = weight(kM, kK);
  const GuardedTensor x = tensor({kN, kK}, kN * kK, 2), y(*b_, kType, {kN, kM}),
                      op(*b_, kType, {kN, kM});
  b_->linear(op.tensor(), x.tensor(), w);
  const kernels::Epilogue<Bf16> epilogue{.y = y.tensor().as<Bf16>(), .pitch = kM, .m = kM, .n = kN};
  for (const bool split : {false, true}) {
    compare(
        kM, kN, split,
        [&](const kernels::GemmPlan& plan) {
          if (!split) {
            return kernels::launch_gemm(stream_, plan, tiled(w), rows_of(x.tensor()), epilogue, kK,
                                        kernels::Single{});
          }
          const kernels::SplitK parts{
              reinterpret_cast<float4*>(stream_.workspace.area(kernels::split_k_bytes(plan))),
              stream_.workspace.counters(plan.tiles())};
          kernels::launch_gemm(stream_, plan, tiled(w), rows_of(x.tensor()), epilogue, kK, parts);
        },
        [&] { return y.values(); });
    EXPECT_EQ(difference(y.values(), op.values()), "");
  }
}

TEST_F(GemmTiles, SwigluPairs) {
  constexpr int64_t kHalf = 48, kN = 20, kK = 136;
  const Linear w = weight(2 * kHalf, kK);
  const GuardedTensor x = tensor({kN, kK}, kN * kK, 2), y(*b_, kType, {kN, kHalf}),
                      both(*b_, kType, {kN, 2 * kHalf}), op(*b_, kType, {kN, kHalf});
  b_->linear(both.tensor(), x.tensor(), w);
  b_->swiglu(op.tensor(), both.tensor());
  const kernels::PairEpilogue<kernels::SwigluPair> epilogue{
      {y.tensor().as<Bf16>(), kHalf, 2 * kHalf, kN, nullptr}};
  compare(
      2 * kHalf, kN, false,
      [&](const kernels::GemmPlan& plan) {
        kernels::launch_gemm(stream_, plan, tiled(w), rows_of(x.tensor()), epilogue, kK,
                             kernels::Single{});
      },
      [&] { return y.values(); });
  EXPECT_EQ(difference(y.values(), op.values()), "");
}

template <typename A>
void GemmTiles::rope_pairs(const A& a, int64_t in) {
  constexpr int64_t kN = 20;
  const GuardedTensor x = tensor({kN, in}, kN * in, 2), q(*b_, kType, {kN, kHeads * kSize});
  const Paging paging({kN, kHeads, kHeads, 32, kSize});
  const int64_t cells = paging.pages() * kHeads * kPageTokens * kSize;
  const GuardedTensor k(*b_, kType, paging.shape(), Values(cells, 0.0)),
      v(*b_, kType, paging.shape(), Values(cells, 0.0)),
      table(*b_, DType::kI32, paging.table_shape(), paging.table(Values(kN, 31.0))),
      cos(*b_, DType::kF32, {32, kSize / 2}, spread(5, 32 * kSize / 2, DType::kF32)),
      sin(*b_, DType::kF32, {32, kSize / 2}, spread(6, 32 * kSize / 2, DType::kF32));
  Values order(kN);
  for (int64_t i = 0; i < kN; ++i) order[i] = static_cast<double>(i);
  const GuardedTensor rows(*b_, DType::kI32, {kN}, order);
  const KvCache cache{k.tensor(), v.tensor(), table.tensor()};
  const kernels::PairEpilogue<kernels::RopePair> epilogue{{.q = q.tensor().as<Bf16>(),
                                                           .k = k.tensor().as<Bf16>(),
                                                           .v = v.tensor().as<Bf16>(),
                                                           .q_pitch = q.tensor().pitch,
                                                           .m = kOut,
                                                           .n = kN,
                                                           .pages = kernels::Pages::of(cache),
                                                           .heads = kHeads,
                                                           .size = kSize,
                                                           .cos = cos.tensor().as<float>(),
                                                           .sin = sin.tensor().as<float>(),
                                                           .cos_pitch = cos.tensor().pitch,
                                                           .sin_pitch = sin.tensor().pitch,
                                                           .sequence = rows.tensor().as<int32_t>(),
                                                           .position = rows.tensor().as<int32_t>(),
                                                           .bias = nullptr}};
  compare(
      kOut, kN, false,
      [&](const kernels::GemmPlan& plan) {
        kernels::launch_gemm(stream_, plan, a, rows_of(x.tensor()), epilogue, in,
                             kernels::Single{});
      },
      [&] {
        Values all = q.values();
        for (const GuardedTensor* each : {&k, &v}) {
          const Values more = each->values();
          all.insert(all.end(), more.begin(), more.end());
        }
        return all;
      });
}

TEST_F(GemmTiles, RopePairs) {
  constexpr int64_t kK = 136;
  rope_pairs(tiled(weight(kOut, kK)), kK);
}

TEST_F(GemmTiles, RopePairsOfQuantisedWeights) {
  constexpr int64_t kK = 256;
  const Linear int8 = QuantisedWeights(LinearFormat::kInt8, kOut, kK, 1).linear(*b_);
  rope_pairs(kernels::quantised_weights<LinearFormat::kInt8>(int8), kK);
  const Linear int4 = QuantisedWeights(LinearFormat::kInt4, kOut, kK, 1).linear(*b_);
  rope_pairs(kernels::quantised_weights<LinearFormat::kInt4>(int4), kK);
}

// A convolution of 3 x 3 of two pictures with residuals, and heads as one batch.
TEST_F(GemmTiles, PatchesAndBatches) {
  constexpr int64_t kSide = 5, kChannels = 16, kM = 40, kK = 9 * kChannels;
  const Linear w = weight(kM, kK);
  constexpr int64_t kPixels = kSide * kSide;
  constexpr int kPictures = 2;
  const GuardedTensor x = tensor({kPictures, kPixels, kChannels}, kPictures * kPixels * kChannels,
                                 2),
                      added = tensor({kPictures, kPixels, kM}, kPictures * kPixels * kM, 5),
                      y(*b_, kType, {kPictures, kPixels, kM});
  const kernels::PatchOperand patches{.data = x.tensor().as<Bf16>(),
                                      .height = kSide,
                                      .width = kSide,
                                      .channels = kChannels,
                                      .out_width = kSide,
                                      .rows = kPixels,
                                      .kernel = 3,
                                      .stride = 1,
                                      .before = 1,
                                      .k = kK,
                                      .vectors = true};
  const kernels::Epilogue<Bf16> convolved{.y = y.tensor().as<Bf16>(),
                                          .pitch = kM,
                                          .m = kM,
                                          .n = kPixels,
                                          .residual = added.tensor().as<Bf16>(),
                                          .residual_pitch = kM};
  compare(
      kM, kPixels, false,
      [&](const kernels::GemmPlan& plan) {
        kernels::launch_gemm(stream_, plan, tiled(w), patches, convolved, kK,
                             kernels::Pictures{kPictures, kPixels * kChannels, kPixels * kM});
      },
      [&] { return y.values(); });

  constexpr int64_t kHeads = 2, kRows = 24, kSize = 64;
  const GuardedTensor a = tensor({kRows, kHeads * kSize}, kRows * kHeads * kSize, 3),
                      c = tensor({kRows, kHeads * kSize}, kRows * kHeads * kSize, 4),
                      scores(*b_, kType, {kHeads * kRows, kRows});
  const auto heads = [](const Tensor& t) {
    return kernels::RowsOperand{t.as<Bf16>(), t.pitch, kRows, kSize, true};
  };
  const kernels::Epilogue<Bf16> score{
      .y = scores.tensor().as<Bf16>(), .pitch = kRows, .m = kRows, .n = kRows};
  compare(
      kRows, kRows, false,
      [&](const kernels::GemmPlan& plan) {
        kernels::launch_gemm(stream_, plan, kernels::TiledRows{heads(a.tensor())},
                             heads(c.tensor()), score, kSize,
                             kernels::Batched{kHeads, kSize, kSize, kRows * kRows});
      },
      [&] { return scores.values(); });
}

}  // namespace
}  // namespace bifrons::testing
