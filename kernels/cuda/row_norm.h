// The arithmetic of rms_norm, shared by the verb and by kernels that normalise what they read.
#pragma once

#include "kernels/cuda/numbers.h"

namespace bifrons::cuda {

// A row's squares are summed in this many strands of 32 lanes, whatever number of warps does it:
// lane i of strand s takes elements 8 (32 s + i) .. + 7 of every 4096.
constexpr int kStrands = 16;

// The sum of strand s of a row of n elements, the same in every lane of the calling warp.
template <typename T>
__device__ float strand_sum(const T* x, int64_t n, int strand) {
  float sum = 0.0f;
  const int64_t first = (strand * kWarp + static_cast<int64_t>(threadIdx.x % kWarp)) * 8;
  for (int64_t begin = first; begin < n; begin += kStrands * kWarp * 8) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float v = begin + i < n ? to_float(x[begin + i]) : 0.0f;
      sum = fmaf(v, v, sum);
    }
  }
  return warp_sum(sum);
}

// Writes the strands' sums of a row; the warps of the block share them out.
template <typename T>
__device__ void sum_strands(float* strands, const T* x, int64_t n) {
  const int warps = blockDim.x / kWarp;
  for (int s = threadIdx.x / kWarp; s < kStrands; s += warps) {
    const float sum = strand_sum(x, n, s);
    if (threadIdx.x % kWarp == 0) strands[s] = sum;
  }
}

// 1 / sqrt(mean(x^2) + eps) of n elements.
__device__ inline float row_scale(const float* strands, int64_t n, float eps) {
  float sum = 0.0f;
  for (int s = 0; s < kStrands; ++s) sum += strands[s];
  return 1.0f / sqrtf(sum / static_cast<float>(n) + eps);
}

template <typename T>
__device__ T normalised(T x, float scale, float weight) {
  return round_to<T>(rounded<T>(to_float(x) * scale) * weight);
}

}  // namespace bifrons::cuda
