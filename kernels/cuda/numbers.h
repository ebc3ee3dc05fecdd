// Small device functions: warp reductions, bf16 pairs, the last block to arrive. Every sum has a
// fixed order.
#pragma once

#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/elements.h"

namespace bifrons::cuda {

constexpr int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

// x sigmoid(x)
__device__ inline float silu(float x) { return x / (1.0f + expf(-x)); }

// The lower and the upper number of a pair of bf16.
__device__ inline float lower_of(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
__device__ inline float upper_of(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

// x Phi(x), the erf form
__device__ inline float gelu(float x) { return x * 0.5f * (1.0f + erff(x * 0x1.6a09e6p-1f)); }

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarp = 32;

// Warp reduction: the sum over all lanes, the same in every lane.
__device__ inline float warp_sum(float x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}

__device__ inline float warp_max(float x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, offset));
  }
  return x;
}

// Whether this block is the last of `n` to arrive at `counter`. For the last one, all writes of the
// others before their arrival are visible. The counter is reset to zero. All threads of the block
// must call it.
__device__ inline bool last_to_arrive(int* counter, int n) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counter, 1) == n - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

}  // namespace bifrons::cuda
