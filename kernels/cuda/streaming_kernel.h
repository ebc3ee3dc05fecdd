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
template <int kN, typename B, typename T>
__global__ void __launch_bounds__(16 * kWarp, 2)
    streaming_kernel(TiledWeights weights, B x, Epilogue<T> epilogue, KSlices slices) {
  // A lane reads only what it copied itself, so no barrier is needed.
  uint4* const copied = dynamic_shared<uint4>();  // [slices][kAhead][2][kWarp]
  // [slices][kN * 8][16]
  float* const partial = reinterpret_cast<float*>(copied + slices.count * kAhead * kStepVectors);
  const int lane = threadIdx.x % kWarp, slice = threadIdx.x / kWarp;
  uint4* const mine = copied + slice * kAhead * kStepVectors + lane;
  const int64_t tile = blockIdx.x, first_column = int64_t{blockIdx.y} * kN * 8;
  const int first = slice * slices.length;
  const int last = first + slices.length < slices.steps ? first + slices.length : slices.steps;
  const uint4* const stream = weights.begin(tile);

  const auto fetch = [&](int slot, int step) {
    if (step < last) {
#pragma unroll
      for (int v = 0; v < 2; ++v) {
        cp_async_16(mine + slot * kStepVectors + v * kWarp,
                    stream + step * kStepVectors + v * kWarp, true);
      }
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
      const Fragment a =
          TiledWeights::fragment(mine[i * kStepVectors], mine[i * kStepVectors + kWarp]);
#pragma unroll
      for (int j = 0; j < kN; ++j) mma_step(sum[j], a, now[j]);
      // These products have used what was loaded from this slot, so the copy cannot overtake the
      // load; there is no fence between them.
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

template <int kN, typename T>
void stream_weights(const Stream& s, const TiledWeights& weights, const RowsOperand& x,
                    const Epilogue<T>& epilogue) {
  const KSlices slices = slices_of(x.k);
  const Grid grid{dim3(static_cast<unsigned>(weights.tiles),
                       static_cast<unsigned>(ceil_div(epilogue.n, kN * 8))),
                  dim3(static_cast<unsigned>(slices.count * kWarp)),
                  slices.count * (kAhead * kStepVectors * static_cast<int64_t>(sizeof(uint4)) +
                                  kTileOut * kN * 8 * static_cast<int64_t>(sizeof(float)))};
  static_assert(kMostSlices *
                    (kAhead * kStepVectors * sizeof(uint4) + kTileOut * kN * 8 * sizeof(float)) <=
                kLeastShared);
  launch_pdl(s.handle, s.pdl, streaming_kernel<kN, RowsOperand, T>, grid, weights, x, epilogue,
             slices);
}

}  // namespace bifrons::cuda
