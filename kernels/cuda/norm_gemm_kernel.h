// Products with an epilogue in pairs: for few columns rms_norm, product and epilogue in the kernel
// that streams the weights, a block computes a pair of tiles; for more, product and epilogue in the
// tiled GEMM.
#pragma once

#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pair_epilogues.h"
#include "kernels/cuda/row_norm.h"

namespace bifrons::cuda {

constexpr int64_t kFewColumns = 16;
// Pipeline stages: steps of weights in flight (cp.async) while one is multiplied. As many as fit
// into kLeastShared.
constexpr int kStepsAhead = 3;

// Rows of x before their rms_norm; rows are whole vectors of eight.
struct NormedRows {
  const Bf16* x;
  int64_t pitch, rows, k;
  const float* weight;  // weight of the norm
  float eps;
};

// Both tiles of a block, kN * 8 columns; `pair` is the epilogue for their sums.
template <int kN, typename W, typename Pair>
__global__ void __launch_bounds__(16 * kWarp, 2)
    norm_gemm_kernel(W weights, NormedRows rows, Pair pair, KSlices slices) {
  constexpr int kColumns = kN * 8;
  __shared__ float partials[kColumns][kPartials];
  // Dynamic shared memory, used twice: first for the steps of both tiles in flight (a warp reads
  // only what it copied itself), then for the sums of the slices.
  uint4* const copied = dynamic_shared<uint4>();   // [slices][kStepsAhead][2][W::kVectors]
  float* const partial = dynamic_shared<float>();  // [slices][2][kColumns][16]
  const int lane = threadIdx.x % kWarp, slice = threadIdx.x / kWarp;
  const int64_t tiles[2] = {pair.first_tile(blockIdx.x), pair.second_tile(blockIdx.x)};
  const uint4* const stream[2] = {weights.begin(tiles[0]), weights.begin(tiles[1])};
  const decltype(weights.scales_of(0)) scales[2] = {weights.scales_of(tiles[0]),
                                                    weights.scales_of(tiles[1])};
  const int first = slice * slices.length;
  const int last = first + slices.length < slices.steps ? first + slices.length : slices.steps;

  // The first weights are in flight while the previous kernel ends (PDL) and the norm is computed.
  uint4* const mine = copied + slice * kStepsAhead * 2 * W::kVectors;
  typename W::Scale of_rows[kStepsAhead][2];
  const auto fetch = [&](int slot, int step) {
    if (step < last) {
#pragma unroll
      for (int t = 0; t < 2; ++t) {
        copy_step<W>(mine + (slot * 2 + t) * W::kVectors, stream[t] + step * W::kVectors);
        of_rows[slot][t] = W::scale(scales[t], step);
      }
    }
    cp_async_commit();
  };
#pragma unroll
  for (int i = 0; i < kStepsAhead; ++i) fetch(i, first + i);
  trigger_dependents();
  grid_dependency_wait();
  sum_partials<4 * kN>(partials, rows.x, rows.pitch, rows.rows, rows.k);
  __syncthreads();
  const int k = static_cast<int>(rows.k);
  const Bf16* from[kN];  // this lane's columns; null outside
  float scale[kN];
#pragma unroll
  for (int j = 0; j < kN; ++j) {
    const int column = j * 8 + lane / 4;
    const bool inside = column < rows.rows;
    from[j] = inside ? rows.x + column * rows.pitch : nullptr;
    scale[j] = inside ? row_scale(partials[column], rows.k, rows.eps) : 0.0f;
  }

  constexpr int kTogether = kStepsAhead / kN;  // steps for which x is read together
  float sum[2][kN][4] = {};
  uint4 b[kTogether][kN];
  const auto load_b = [&](int begin) {
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const int k0 = (begin + i) * static_cast<int>(kTileIn) + lane % 4 * 8;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        const bool there = begin + i < last && from[j] != nullptr && k0 < k;
        b[i][j] = there ? normed_eight(from[j] + k0, rows.weight + k0, scale[j]) : uint4{};
      }
    }
  };
  for (int begin = first; begin < last; begin += kStepsAhead) {
#pragma unroll
    for (int i = 0; i < kStepsAhead; ++i) {
      if (i % kTogether == 0) load_b(begin + i);
      if (begin + i >= last) continue;
      cp_async_wait<kStepsAhead - 1>();
      meet_lanes<W>();
#pragma unroll
      for (int t = 0; t < 2; ++t) {
        const Fragment tile = W::fragment(mine + (i * 2 + t) * W::kVectors);
#pragma unroll
        for (int j = 0; j < kN; ++j) mma_step(sum[t][j], tile, b[i % kTogether][j], of_rows[i][t]);
      }
      meet_lanes<W>();
      fetch(i, begin + i + kStepsAhead);  // after the products: see streaming_kernel()
    }
  }
  __syncthreads();  // all warps have read their weights; `partial` reuses the memory

  constexpr int kTile = kColumns * static_cast<int>(kTileOut);
  for (int t = 0; t < 2; ++t) {
    for (int j = 0; j < kN; ++j) {
      for (int e = 0; e < 4; ++e) {
        const int row = lane / 4 + e / 2 * 8, n = j * 8 + lane % 4 * 2 + e % 2;
        partial[(slice * 2 + t) * kTile + n * static_cast<int>(kTileOut) + row] = sum[t][j][e];
      }
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kTile; i += blockDim.x) {
    const int64_t n = i / kTileOut;
    if (n >= rows.rows) continue;
    const auto total = [&](int t) {
      return sum_of_slices(slices, [&](int s) { return partial[(s * 2 + t) * kTile + i]; });
    };
    pair.finish(pair.rows(blockIdx.x), pair.column(n), i % static_cast<int>(kTileOut), total(0),
                total(1));
  }
}

template <int kN, typename W, typename Pair>
void stream_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps, const W& weights,
                  const Pair& pair) {
  const KSlices slices = slices_of(x.cols());
  const NormedRows rows{x.as<Bf16>(),
                        x.pitch,
                        x.rows(),
                        x.cols(),
                        static_cast<const float*>(norm.weight.data()),
                        static_cast<float>(eps)};
  constexpr int64_t kCopied = kStepsAhead * 2 * W::kVectors * sizeof(uint4);  // of a slice
  constexpr int64_t kSums = 2 * kN * 8 * kTileOut * int64_t{sizeof(float)};   // of a slice
  constexpr int64_t kBytes = kCopied > kSums ? kCopied : kSums;
  constexpr int64_t kNorm = kN * 8 * kPartials * sizeof(float);
  static_assert(kMostSlices * kBytes + kNorm <= kLeastShared);
  const Grid grid{dim3(static_cast<unsigned>(weights.tiles / 2)),
                  dim3(static_cast<unsigned>(slices.count * kWarp)), slices.count * kBytes};
  launch_pdl(s.handle, s.pdl, norm_gemm_kernel<kN, W, Pair>, grid, weights, rows, pair, slices);
}

// rms_norm, product and epilogue for few columns.
template <typename W, typename Pair>
void norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps, const W& weights,
                const Pair& pair) {
  if (x.rows() <= kFewColumns / 2) {
    stream_pairs<1>(s, x, norm, eps, weights, pair);
  } else {
    stream_pairs<2>(s, x, norm, eps, weights, pair);
  }
}

// Product and epilogue for more columns; x is normed. Never split-K, which would double the number
// of kernels to compile for little.
template <typename W, typename Pair>
void gemm_pairs(Stream& s, const Tensor& x, const W& weights, const Pair& pair) {
  const PairEpilogue<Pair> epilogue{pair};
  const RowsOperand rows{x.as<Bf16>(), x.pitch, x.rows(), x.cols(), true};
  const GemmPlan plan = plan_gemm(pair.m, x.rows(), x.cols(), false, 1, s.shared_bytes, W::kBytes);
  launch_gemm(s, plan, weights, rows, epilogue, x.cols(), Single{});
}

}  // namespace bifrons::cuda
