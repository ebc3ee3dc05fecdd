// Element types and small sums that kernels share. Every sum has one order.
#pragma once

#include <cuda_runtime.h>

#include <cmath>

#include "kernels/dtype.h"
#include "kernels/error.h"

namespace bifrons::cuda {

constexpr float to_float(float x) { return x; }
using bifrons::to_float;

// x rounded once to T.
template <typename T>
constexpr T round_to(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return x;
  } else {
    return to_bf16(x);
  }
}

template <typename T>
constexpr float rounded(float x) {
  return to_float(round_to<T>(x));
}

// x sigmoid(x)
__device__ inline float silu(float x) { return x / (1.0f + expf(-x)); }

// Calls body(T{}) with the type of an activation; host code.
template <typename Body>
void visit_activation(DType dtype, const Body& body) {
  check(dtype == DType::kF32 || dtype == DType::kBf16, "activations are f32 or bf16");
  if (dtype == DType::kF32) return body(float{});
  body(Bf16{});
}

// The same for everything a weight is stored in.
template <typename Body>
void visit_stored(DType dtype, const Body& body) {
  if (dtype == DType::kF16) return body(F16{});
  visit_activation(dtype, body);
}

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarp = 32;

// Sum over the lanes of a warp, the same in every lane.
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

constexpr int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

// Whether this block is the last of `n` to arrive at `counter`; then everything the others wrote
// before is visible. The counter is left at zero. Every thread of the block must call it.
__device__ inline bool last_to_arrive(int* counter, int n) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counter, 1) == n - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  __threadfence();
  return last;
}

}  // namespace bifrons::cuda
