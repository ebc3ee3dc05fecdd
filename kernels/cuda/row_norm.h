// The arithmetic of rms_norm, shared by the op and by fused kernels that normalise their input.
#pragma once

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/numbers.h"

namespace bifrons::cuda {

// A row's squares are summed in this many partial sums of 32 lanes, for any number of warps: lane i
// of partial s takes elements 8 (32 s + i) .. + 7 of every 4096.
constexpr int kPartials = 16;

// Adds the squares of eight elements, one after another.
__device__ inline float add_squares(float sum, const uint4& eight) {
  for (const uint32_t pair : {eight.x, eight.y, eight.z, eight.w}) {
    sum = fmaf(lower_of(pair), lower_of(pair), sum);
    sum = fmaf(upper_of(pair), upper_of(pair), sum);
  }
  return sum;
}

// First element of this lane in partial s.
__device__ inline int64_t partial_begin(int partial) {
  return (partial * kWarp + static_cast<int64_t>(threadIdx.x % kWarp)) * 8;
}

// Writes the partial sums of a row of n elements; the warps of the block share the partials.
template <typename T>
__device__ void sum_partials(float* partials, const T* x, int64_t n) {
  const int warps = blockDim.x / kWarp;
  for (int s = threadIdx.x / kWarp; s < kPartials; s += warps) {
    float sum = 0.0f;
    for (int64_t begin = partial_begin(s); begin < n; begin += kPartials * kWarp * 8) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float v = begin + i < n ? to_float(x[begin + i]) : 0.0f;
        sum = fmaf(v, v, sum);
      }
    }
    sum = warp_sum(sum);
    if (threadIdx.x % kWarp == 0) partials[s] = sum;
  }
}

// The same for several rows, `pitch` elements apart, that are whole vectors of eight. kTogether
// rows are read before the first is summed.
template <int kTogether>
__device__ void sum_partials(float (*partials)[kPartials], const Bf16* x, int64_t pitch,
                             int64_t rows, int64_t n) {
  const int warps = blockDim.x / kWarp;
#pragma unroll 1
  for (int s = threadIdx.x / kWarp; s < kPartials; s += warps) {
#pragma unroll 1
    for (int64_t m = 0; m < rows; m += kTogether) {
      float sum[kTogether] = {};
#pragma unroll 1
      for (int64_t begin = partial_begin(s); begin < n; begin += kPartials * kWarp * 8) {
        uint4 eight[kTogether] = {};
#pragma unroll
        for (int i = 0; i < kTogether; ++i) {
          const Bf16* from = x + (m + i) * pitch + begin;
          if (m + i < rows) eight[i] = *reinterpret_cast<const uint4*>(from);
        }
#pragma unroll
        for (int i = 0; i < kTogether; ++i) sum[i] = add_squares(sum[i], eight[i]);
      }
#pragma unroll
      for (int i = 0; i < kTogether; ++i) sum[i] = warp_sum(sum[i]);
#pragma unroll
      for (int i = 0; i < kTogether; ++i) {
        if (m + i < rows && threadIdx.x % kWarp == 0) partials[m + i][s] = sum[i];
      }
    }
  }
}

// 1 / sqrt(mean(x^2) + eps) of n elements.
__device__ inline float row_scale(const float* partials, int64_t n, float eps) {
  float sum = 0.0f;
  for (int s = 0; s < kPartials; ++s) sum += partials[s];
  return 1.0f / sqrtf(sum / static_cast<float>(n) + eps);
}

template <typename T>
__device__ T normalised(T x, float scale, float weight) {
  return round_to<T>(rounded<T>(to_float(x) * scale) * weight);
}

// normalised() of a pair of bf16.
__device__ inline uint32_t normed_pair(uint32_t x, float scale, float low, float high) {
  const uint32_t scaled = round_pair(lower_of(x) * scale, upper_of(x) * scale);
  return round_pair(lower_of(scaled) * low, upper_of(scaled) * high);
}

// normalised() of eight elements of a row.
__device__ inline uint4 normed_eight(const Bf16* from, const float* weight, float scale) {
  const uint4 x = *reinterpret_cast<const uint4*>(from);
  const float4 low = reinterpret_cast<const float4*>(weight)[0];
  const float4 high = reinterpret_cast<const float4*>(weight)[1];
  return {normed_pair(x.x, scale, low.x, low.y), normed_pair(x.y, scale, low.z, low.w),
          normed_pair(x.z, scale, high.x, high.y), normed_pair(x.w, scale, high.z, high.w)};
}

}  // namespace bifrons::cuda
