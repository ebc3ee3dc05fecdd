// Tiled GEMM with quantised weights: the bits are the same for every tile, with or without split-K,
// and for every epilogue; those of the op with few columns are the measure.
#include <gtest/gtest.h>

#include <string>

#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/pair_epilogues.h"
#include "kernels/cuda/quantised_weights.h"
#include "tests/cuda_on_cpu/fibers.h"
#include "tests/kernels/op_case.h"
#include "tests/kernels/quantised_fixture.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

namespace kernels = ::bifrons::cuda;

constexpr int kTileCount = static_cast<int>(kernels::kGemmTiles.size());

template <typename W>
class GemmQuantised : public ::testing::Test {
 protected:
  static constexpr LinearFormat kFormat = W::kInt8 ? LinearFormat::kInt8 : LinearFormat::kInt4;

  GemmQuantised() { cudaStreamCreateWithFlags(&stream_.handle, 0); }

  Linear weight(int64_t out, int64_t in) {
    return QuantisedWeights(kFormat, out, in, 1).linear(*b_);
  }
  GuardedTensor tensor(int64_t rows, int64_t cols, uint32_t seed) {
    return GuardedTensor(*b_, DType::kBf16, {rows, cols}, spread(seed, rows * cols, DType::kBf16));
  }
  GuardedTensor result(DType dtype, int64_t rows, int64_t cols) {
    return GuardedTensor(*b_, dtype, {rows, cols}, Values(rows * cols, 0.5));
  }
  template <typename E>
  void launch(const kernels::GemmPlan& plan, const Linear& w, const Tensor& x, const E& epilogue) {
    const W a = kernels::quantised_weights<kFormat>(w);
    const kernels::RowsOperand rows{x.as<Bf16>(), x.pitch, x.rows(), x.cols(), true};
    if (!plan.split) {
      return kernels::launch_gemm(stream_, plan, a, rows, epilogue, x.cols(), kernels::Single{});
    }
    if constexpr (std::is_same_v<E, kernels::Epilogue<Bf16>>) {
      const kernels::SplitK split{
          reinterpret_cast<float4*>(stream_.workspace.area(kernels::split_k_bytes(plan))),
          stream_.workspace.counters(plan.tiles())};
      kernels::launch_gemm(stream_, plan, a, rows, epilogue, x.cols(), split);
    }
  }
  // The op on a few columns at a time, as its kernel for few columns computes it.
  Values by_few(const Linear& w, const Tensor& x, DType dtype) {
    Values all;
    for (int64_t n = 0; n < x.rows(); n += 16) {
      const int64_t rows = std::min<int64_t>(16, x.rows() - n);
      const GuardedTensor y = result(dtype, rows, w.out);
      b_->linear(y.tensor(), x.slice_rows(n, rows), w);
      const Values part = y.values();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  std::unique_ptr<Backend> b_ = backend_under_test();
  kernels::Stream stream_;
};

using Formats = ::testing::Types<kernels::Int8Weights, kernels::Int4Weights>;
TYPED_TEST_SUITE(GemmQuantised, Formats);

struct QuantisedProduct {
  int64_t m, n, k;
};

// K slices: four of one step; eight, the last one short, which cut groups of int8. Rows and columns
// end within tiles.
constexpr QuantisedProduct kQuantisedProducts[] = {{20, 40, 128}, {140, 150, 128}, {20, 40, 640}};

TYPED_TEST(GemmQuantised, AllPlansGiveTheSameBits) {
  for (const auto& [m, n, k] : kQuantisedProducts) {
    const Linear w = this->weight(m, k);
    const GuardedTensor x = this->tensor(n, k, 2);
    const Values expected = this->by_few(w, x.tensor(), DType::kBf16);
    ASSERT_EQ(kernels::slices_of(k).groups(), kernels::kGroups);
    for (int tile = 0; tile < kTileCount; ++tile) {
      for (const bool split : {false, true}) {
        // The counters of split-K must be zero again for the second run.
        for (const bool again : {false, true}) {
          if (again && !split) continue;
          cuda_on_cpu::copies_at_once() = again != (tile % 2 == 0);
          const GuardedTensor y = this->result(DType::kBf16, n, m);
          const kernels::Epilogue<Bf16> epilogue{
              .y = y.tensor().template as<Bf16>(), .pitch = m, .m = m, .n = n};
          this->launch(kernels::plan_of(tile, split, m, n), w, x.tensor(), epilogue);
          EXPECT_EQ(difference(y.values(), expected), "")
              << "tile " << tile << (split ? ", split" : "") << ", K " << k;
          cuda_on_cpu::copies_at_once() = false;
        }
      }
    }
  }
}

TYPED_TEST(GemmQuantised, Logits) {
  if constexpr (TypeParam::kInt8) {
    constexpr int64_t kM = 40, kN = 20, kK = 640;
    const Linear w = this->weight(kM, kK);
    const GuardedTensor x = this->tensor(kN, kK, 2);
    const Values expected = this->by_few(w, x.tensor(), DType::kF32);
    for (int tile = 0; tile < kTileCount; ++tile) {
      const GuardedTensor y = this->result(DType::kF32, kN, kM);
      const kernels::Epilogue<float> epilogue{
          .y = y.tensor().template as<float>(), .pitch = kM, .m = kM, .n = kN};
      this->launch(kernels::plan_of(tile, false, kM, kN), w, x.tensor(), epilogue);
      EXPECT_EQ(difference(y.values(), expected), "") << "tile " << tile;
    }
  }
}

TYPED_TEST(GemmQuantised, SwigluPairs) {
  constexpr int64_t kHalf = 48, kN = 20, kK = 256;
  const Linear w = this->weight(2 * kHalf, kK);
  const GuardedTensor x = this->tensor(kN, kK, 2);
  const GuardedTensor both(*this->b_, DType::kBf16, {kN, 2 * kHalf},
                           this->by_few(w, x.tensor(), DType::kBf16));
  const GuardedTensor parts = this->result(DType::kBf16, kN, kHalf);
  this->b_->swiglu(parts.tensor(), both.tensor());
  for (int tile = 0; tile < kTileCount; ++tile) {
    const GuardedTensor y = this->result(DType::kBf16, kN, kHalf);
    const kernels::PairEpilogue<kernels::SwigluPair> epilogue{
        {y.tensor().template as<Bf16>(), kHalf, 2 * kHalf, kN, nullptr}};
    this->launch(kernels::plan_of(tile, false, 2 * kHalf, kN), w, x.tensor(), epilogue);
    EXPECT_EQ(difference(y.values(), parts.values()), "") << "tile " << tile;
  }
}

// A plan counts the bytes that weights have: fewer bytes never take more time.
TEST(GemmQuantisedPlan, FewerBytesAreEstimatedFaster) {
  for (const int64_t m : {2048, 12288, 22016}) {
    for (const int64_t n : {17, 128, 512}) {
      double before = 0;
      for (const double bytes : {kernels::Int4Weights::kBytes, kernels::Int8Weights::kBytes, 2.0}) {
        const kernels::GemmPlan plan =
            kernels::plan_gemm(m, n, 4096, true, 1, kernels::kLeastShared, bytes);
        const double time = kernels::time_of(plan, m, n, 4096, 1, bytes);
        EXPECT_GE(time, before);
        before = time;
      }
    }
  }
  EXPECT_EQ(kernels::Int8Weights::kBytes, 1.015625);
  EXPECT_EQ(kernels::Int4Weights::kBytes, 0.5625);
}

}  // namespace
}  // namespace bifrons::testing
