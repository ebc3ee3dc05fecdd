// The arithmetic of rms_norm for one warp and one row, shared by the verb and by kernels that
// normalise what they read.
#pragma once

#include "kernels/cuda/numbers.h"

namespace bifrons::cuda {

// 1 / sqrt(mean(x^2) + eps) of n elements, the same in every lane. Lane i sums the elements i,
// i + 32, ...
template <typename T>
__device__ float row_scale(const T* x, int64_t n, float eps) {
  float sum = 0.0f;
  for (int64_t i = threadIdx.x % kWarp; i < n; i += kWarp) {
    const float v = to_float(x[i]);
    sum = fmaf(v, v, sum);
  }
  return 1.0f / sqrtf(warp_sum(sum) / static_cast<float>(n) + eps);
}

template <typename T>
__device__ T normalised(T x, float scale, float weight) {
  return round_to<T>(rounded<T>(to_float(x) * scale) * weight);
}

}  // namespace bifrons::cuda
