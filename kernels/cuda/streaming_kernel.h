// GEMM for few columns (decode), which streams the weights: a block has one tile of 16 outputs and
// one warp for every slice of K.
#pragma once

#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/launch.h"

namespace bifrons::cuda {

// Pipeline stages: steps of a warp's weights in flight (cp.async) while one is multiplied. With K =
// 2048 these are all steps of a warp.
constexpr int kAhead = 4;

// GEMM for few columns (decode): a block has one tile of 16 outputs and one warp for every slice of
// K, so that as many loads as the GPU supports are in flight; kN * 8 columns.
template <int kN, typename W, typename B, typename T>
__global__ void __launch_bounds__(16 * kWarp, 2)
    streaming_kernel(W weights, B x, Epilogue<T> epilogue, KSlices slices) {
  // A warp reads only what it copied itself, so no barrier of the block is needed.
  uint4* const copied = dynamic_shared<uint4>();  // [slices][kAhead][W::kVectors]
  // [slices][kN * 8][16]
  float* const partial = reinterpret_cast<float*>(copied + slices.count * kAhead * W::kVectors);
  const int lane = threadIdx.x % kWarp, slice = threadIdx.x / kWarp;
  uint4* const mine = copied + slice * kAhead * W::kVectors;
  const int64_t tile = blockIdx.x, first_column = int64_t{blockIdx.y} * kN * 8;
  const int first = slice * slices.length;
  const int last = first + slices.length < slices.steps ? first + slices.length : slices.steps;
  const uint4* const stream = weights.begin(tile);
  const auto scales = weights.scales_of(tile);
  typename W::Scale scale[kAhead];

  const auto fetch = [&](int slot, int step) {
    if (step < last) {
      copy_step<W>(mine + slot * W::kVectors, stream + step * W::kVectors);
      scale[slot] = W::scale(scales, step);
    }
    cp_async_commit();
  };
#pragma unroll
  for (int i = 0; i < kAhead; ++i) fetch(i, first + i);
  trigger_dependents();
  grid_dependency_wait();
  constexpr int kTogether = kAhead / kN;  // steps for which x is read together
  uint4 b[kTogether][kN];
  const auto load_b = [&](int begin) {
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      if (begin + i >= last) continue;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        b[i][j] = x.eight(first_column + j * 8 + lane / 4, (begin + i) * kTileIn + lane % 4 * 8);
      }
    }
  };
  float sum[kN][4] = {};
  for (int begin = first; begin < last; begin += kAhead) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (begin + i >= last) continue;
      uint4(&now)[kN] = b[i % kTogether];
      if (i % kTogether == 0) load_b(begin + i);
      cp_async_wait<kAhead - 1>();
      meet_lanes<W>();
      const Fragment a = W::fragment(mine + i * W::kVectors);
#pragma unroll
      for (int j = 0; j < kN; ++j) mma_step(sum[j], a, now[j], scale[i]);
      // These products have used what was loaded from this slot, so the copy cannot overtake the
      // load; there is no fence between them.
      meet_lanes<W>();
      fetch(i, begin + i + kAhead);
    }
  }

  constexpr int kResults = kN * 8 * static_cast<int>(kTileOut);
  for (int j = 0; j < kN; ++j) {
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + e / 2 * 8, column = j * 8 + lane % 4 * 2 + e % 2;
      partial[slice * kResults + column * static_cast<int>(kTileOut) + row] = sum[j][e];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kResults; i += blockDim.x) {
    epilogue(tile * kTileOut + i % kTileOut, first_column + i / kTileOut,
             sum_of_slices(slices, [&](int s) { return partial[s * kResults + i]; }));
  }
}

template <int kN, typename W, typename T>
void stream_weights(const Stream& s, const W& weights, const RowsOperand& x,
                    const Epilogue<T>& epilogue) {
  constexpr int64_t kCopied = kAhead * W::kVectors * sizeof(uint4);      // of a slice
  constexpr int64_t kSums = kTileOut * kN * 8 * int64_t{sizeof(float)};  // of a slice
  static_assert(kMostSlices * (kCopied + kSums) <= kLeastShared);
  const KSlices slices = slices_of(x.k);
  const Grid grid{dim3(static_cast<unsigned>(weights.tiles),
                       static_cast<unsigned>(ceil_div(epilogue.n, kN * 8))),
                  dim3(static_cast<unsigned>(slices.count * kWarp)),
                  slices.count * (kCopied + kSums)};
  launch_pdl(s.handle, s.pdl, streaming_kernel<kN, W, RowsOperand, T>, grid, weights, x, epilogue,
             slices);
}

}  // namespace bifrons::cuda
