// Tiled GEMM: the bits are the same for every tile, and with or without split-K.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/cuda/gemm_kernel.h"
#include "tests/cuda_on_cpu/fibers.h"
#include "tests/kernels/op_case.h"
#include "tests/support/under_test.h"

namespace bifrons::testing {
namespace {

namespace kernels = ::bifrons::cuda;

std::string name_of(const kernels::GemmPlan& plan) {
  const kernels::GemmTile& tile = kernels::kGemmTiles[plan.tile];
  return std::to_string(tile.rows()) + " x " + std::to_string(tile.columns()) +
         (plan.split ? " split" : "");
}

struct Product {
  int64_t m, n, k;
};

class Gemm : public ::testing::TestWithParam<Product> {
 protected:
  Gemm() { cudaStreamCreateWithFlags(&stream_.handle, 0); }

  // The result with the given tile.
  Values as(const kernels::GemmPlan& plan) {
    const GuardedTensor y(*b_, DType::kF32, {n_, m_}, Values(n_ * m_, 0.5));
    const kernels::TiledWeights a{static_cast<const uint4*>(weight_.storage.data()),
                                  kernels::ceil_div(m_, kernels::kTileOut),
                                  kernels::ceil_div(k_, kernels::kTileIn)};
    const Tensor& x = x_.tensor();
    const kernels::RowsOperand b{x.as<Bf16>(), x.pitch, n_, k_, true};
    const kernels::Epilogue<float> epilogue{
        .y = y.tensor().as<float>(), .pitch = y.tensor().pitch, .m = m_, .n = n_};
    if (plan.split) {
      const kernels::SplitK split{
          reinterpret_cast<float4*>(stream_.workspace.area(kernels::split_k_bytes(plan))),
          stream_.workspace.counters(plan.tiles())};
      kernels::launch_gemm(stream_, plan, a, b, epilogue, k_, split);
    } else {
      kernels::launch_gemm(stream_, plan, a, b, epilogue, k_, kernels::Single{});
    }
    return y.values();
  }

  // The result one column at a time, as in the kernel for few columns.
  Values one_by_one() {
    Values all;
    for (int64_t n = 0; n < n_; ++n) {
      const GuardedTensor y(*b_, DType::kF32, {1, m_}, Values(m_, 0.5));
      b_->linear(y.tensor(), x_.tensor().slice_rows(n, 1), weight_);
      const Values one = y.values();
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  std::unique_ptr<Backend> b_ = backend_under_test();
  kernels::Stream stream_;
  int64_t m_ = GetParam().m, n_ = GetParam().n, k_ = GetParam().k;
  HostValues values_{spread(1, m_* k_, DType::kBf16), DType::kBf16, m_, k_};
  Linear weight_ = b_->make_linear({&values_.array, 1}, {});
  GuardedTensor x_{*b_, DType::kBf16, {n_, k_}, spread(2, n_* k_, DType::kBf16)};
};

TEST_P(Gemm, AllPlansGiveTheSameBits) {
  const Values expected = one_by_one();
  const bool groups = kernels::slices_of(k_).groups() == kernels::kGroups;
  for (int tile = 0; tile < static_cast<int>(kernels::kGemmTiles.size()); ++tile) {
    for (const bool split : {false, true}) {
      if (split && !groups) continue;
      const kernels::GemmPlan plan = kernels::plan_of(tile, split, m_, n_);
      // The counters must be zero again for the second run.
      for (const bool at_once : {false, true}) {
        cuda_on_cpu::copies_at_once() = at_once;
        EXPECT_EQ(difference(as(plan), expected), "") << name_of(plan);
        cuda_on_cpu::copies_at_once() = false;
      }
    }
  }
}

// K slices: one; four, the last one empty; eight, two of them empty; sixteen, two of them empty and
// one short. Rows and columns end within tiles.
INSTANTIATE_TEST_SUITE_P(Shapes, Gemm,
                         ::testing::Values(Product{20, 40, 24}, Product{140, 150, 136},
                                           Product{20, 40, 520}, Product{20, 40, 2104}),
                         [](const auto& instance) {
                           return "K" + std::to_string(instance.param.k);
                         });

constexpr int64_t kLargeCard = 226 << 10, kSmallCard = 98 << 10;  // shared memory of a block

TEST(GemmPlan, CoversTheProductWithinItsMemory) {
  for (const int64_t m : {1, 3, 64, 2048, 12288, 22016}) {
    for (const int64_t n : {1, 17, 128, 512, 147456}) {
      for (const int64_t k : {1, 136, 2048, 11008}) {
        for (const int64_t shared : {kLargeCard, kSmallCard}) {
          const kernels::GemmPlan plan = kernels::plan_gemm(m, n, k, true, 1, shared);
          const kernels::GemmTile& tile = kernels::kGemmTiles.at(plan.tile);
          EXPECT_GE(plan.down * tile.rows(), m);
          EXPECT_GE(plan.across * tile.columns(), n);
          const bool groups = kernels::slices_of(k).groups() > 1;
          EXPECT_LE(tile.shared_bytes(groups && !plan.split), shared);
          if (!plan.split) continue;
          EXPECT_EQ(kernels::slices_of(k).groups(), kernels::kGroups);
          EXPECT_LE(kernels::split_k_bytes(plan), gemm_workspace(n, m));
          EXPECT_FALSE(kernels::plan_gemm(m, n, k, false, 1, shared).split);
          EXPECT_FALSE(kernels::plan_gemm(m, n, k, true, 2, shared).split);
        }
      }
    }
  }
}

std::string planned(int64_t m, int64_t n, int64_t k, bool may_split_k) {
  return name_of(kernels::plan_gemm(m, n, k, may_split_k, 1, kLargeCard));
}

// Batch of 64 pictures: the smallest layers of 1B and 7B have too few tiles for a GPU, so split-K
// is used.
TEST(GemmPlan, UsesSplitKForFewTiles) {
  EXPECT_EQ(planned(2048, 128, 2048, true), "128 x 128 split");
  EXPECT_EQ(planned(4096, 128, 4096, true), "192 x 128 split");
  EXPECT_EQ(planned(4096, 128, 11008, true), "128 x 128 split");
}

// The largest layer of 7B: all blocks run at once, so no second round leaves most of the GPU idle.
TEST(GemmPlan, TheLargestLayerTakesOneRound) {
  const kernels::GemmPlan plan = kernels::plan_gemm(22016, 128, 4096, true, 1, kLargeCard);
  EXPECT_EQ(name_of(plan), "192 x 128");
  EXPECT_LE(plan.tiles(), kernels::kMultiprocessors);
}

// Bytes of shared memory for a step of K with tiles of 128 x 128: 128 rows and 128 columns of 64
// bytes are written, and each of eight warps reads 32 rows and 64 columns.
TEST(GemmPlan, WarpsShareRowsAndColumns) {
  EXPECT_EQ(kernels::kGemmTiles[2].step_traffic(), (128 + 128) * 64 + 8 * (32 + 64) * 64);
}

// Few columns, for which a larger tile would mostly multiply zeros, and many.
TEST(GemmPlan, FewColumnsUseSmallTiles) {
  EXPECT_EQ(planned(12288, 32, 4096, true), "64 x 32");
  EXPECT_EQ(planned(128, 147456, 1152, false), "128 x 128");
}

}  // namespace
}  // namespace bifrons::testing
