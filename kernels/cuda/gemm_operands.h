// GEMM on tensor cores: operands, order of summation, epilogue. C [M, N] = A [M, K] B [N, K]^T; A
// is weights or one set of rows, B is tokens or pixels.
//
// Order of a sum: K is cut into slices of whole steps of 32; the cut depends only on K. Slices form
// groups. A slice is a chain of mma from zero; the slices of a group are added from left to right,
// and so are the groups. Every kernel here keeps this order for any tile and any number of blocks
// that share a sum (split-K). So a column's result does not depend on N or on its neighbours.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/weight_order.h"

namespace bifrons::cuda {

// Division of K into slices and groups.
struct KSlices {
  int count;   // number of slices; one warp each in kernels for few columns
  int length;  // steps per slice; the last slices may be shorter or empty
  int steps;
  int each;  // slices per group; with split-K one block adds one group

  __host__ __device__ constexpr int groups() const { return count / each; }
};

constexpr int kGroups = 4;  // if K is long enough
constexpr int kMostSlices = 16;

constexpr KSlices slices_of(int64_t k) {
  const int steps = static_cast<int>((k + kTileIn - 1) / kTileIn);
  const int count = steps >= 64 ? kMostSlices : steps >= 16 ? 8 : steps >= 4 ? kGroups : 1;
  return {count, (steps + count - 1) / count, steps, count < kGroups ? 1 : count / kGroups};
}

// The sum over K; of(s) is the sum of slice s.
template <typename SliceSum>
__device__ inline float sum_of_slices(const KSlices& slices, const SliceSum& of) {
  float total = 0.0f;
  if (slices.count == kMostSlices) {  // as below, but all values are read before the first is added
    constexpr int kEach = kMostSlices / kGroups;
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      float group = 0.0f;
#pragma unroll
      for (int i = 0; i < kEach; ++i) group += of(g * kEach + i);
      total += group;
    }
    return total;
  }
#pragma unroll 1
  for (int s = 0; s < slices.count;) {
    float group = 0.0f;
#pragma unroll 1
    for (const int end = s + slices.each; s < end; ++s) group += of(s);
    total += group;
  }
  return total;
}

// Eight bf16 as four registers.
__device__ inline uint4 pack(const Bf16 (&x)[8]) {
  uint4 r;
  r.x = x[0].bits | uint32_t{x[1].bits} << 16;
  r.y = x[2].bits | uint32_t{x[3].bits} << 16;
  r.z = x[4].bits | uint32_t{x[5].bits} << 16;
  r.w = x[6].bits | uint32_t{x[7].bits} << 16;
  return r;
}

// Rows of activations: the K elements of row n are contiguous.
struct RowsOperand {
  const Bf16* data;
  int64_t pitch;
  int64_t rows;
  int64_t k;
  bool vectors;  // rows begin at multiples of 16 bytes

  __device__ void shift(int64_t elements) { data += elements; }

  // Whether address() can be used: K consists of whole, aligned vectors of eight.
  bool whole() const { return vectors && k % 8 == 0; }
  // Address of elements k0 .. k0 + 7 of row n, with k0 a multiple of 8; null outside.
  __device__ const Bf16* address(int64_t n, int64_t k0) const {
    return n < rows && k0 < k ? data + n * pitch + k0 : nullptr;
  }
  // Elements k0 .. k0 + 7 of row n, zeros outside.
  __device__ uint4 eight(int64_t n, int64_t k0) const {
    if (n >= rows || k0 >= k) return uint4{};
    const Bf16* from = data + n * pitch + k0;
    if (vectors && k0 + 8 <= k) return *reinterpret_cast<const uint4*>(from);
    Bf16 x[8] = {};
    for (int i = 0; i < 8; ++i) {
      if (k0 + i < k) x[i] = from[i];
    }
    return pack(x);
  }
};

// Implicit GEMM operand, the pixels under a kernel's taps: "row" n is output pixel n, K runs over
// (tap, channel).
struct PatchOperand {
  // 32-bit integers: a 64-bit division takes about a hundred instructions.
  const Bf16* data;
  int32_t height, width, channels;  // of the input
  int32_t out_width, rows;          // rows: output pixels
  int32_t kernel, stride, before;
  int32_t k;
  bool vectors;  // channels are whole, aligned vectors of eight

  // Address of K index k0 of pixel (h, w); null in the padding.
  __device__ const Bf16* at(int32_t h, int32_t w, int32_t k0) const {
    const int32_t tap = k0 / channels;
    const int32_t y = h * stride + tap / kernel - before, x = w * stride + tap % kernel - before;
    if (y < 0 || y >= height || x < 0 || x >= width) return nullptr;
    return data + (int64_t{y} * width + x) * channels + (k0 - tap * channels);
  }
  bool whole() const { return vectors; }
  __device__ const Bf16* address(int64_t column, int32_t k0) const {
    if (column >= rows || k0 >= k) return nullptr;
    const int32_t n = static_cast<int32_t>(column), h = n / out_width, w = n - h * out_width;
    return at(h, w, k0);
  }
  __device__ uint4 eight(int64_t column, int32_t k0) const {
    if (column >= rows || k0 >= k) return uint4{};
    const int32_t n = static_cast<int32_t>(column), h = n / out_width, w = n - h * out_width;
    Bf16 x[8] = {};
    for (int i = 0; i < 8 && k0 + i < k; ++i) {
      if (const Bf16* from = at(h, w, k0 + i)) x[i] = *from;
    }
    return pack(x);
  }
};

// Registers of the A operand of mma: two m16k16 tiles per step.
struct Fragment {
  uint4 half[2];
};

constexpr int kStepVectors = 2 * kWarp;  // vectors of 16 bytes in a tile's step

// Weights in the layout of weight_order.h.
struct TiledWeights {
  const uint4* data;
  int64_t tiles;
  int64_t steps;

  // Address of this lane's part of a tile's first step; the next step is kStepVectors further.
  __device__ const uint4* begin(int64_t tile) const {
    return data + tile * steps * kStepVectors + threadIdx.x % kWarp;
  }

  // For copies through shared memory: the two vectors of a step that this lane copies, and the
  // fragment that they form.
  bool whole() const { return true; }
  __device__ const void* address(int64_t tile, int64_t step, int vector) const {
    return tile < tiles ? begin(tile) + step * kStepVectors + vector * kWarp : nullptr;
  }
  static __device__ Fragment fragment(const uint4& first, const uint4& second) {
    return {first, second};
  }
};

// Rows of activations as A operand: a lane's two vectors belong to the upper and the lower half of
// a tile.
struct TiledRows {
  RowsOperand x;
  const Bf16* data = x.data;

  __device__ void shift(int64_t elements) { x.shift(elements); }

  bool whole() const { return x.whole(); }
  __device__ const void* address(int64_t tile, int64_t step, int vector) const {
    return x.address(row(tile, vector), k0(step));
  }
  __device__ uint4 eight(int64_t tile, int64_t step, int vector) const {
    return x.eight(row(tile, vector), k0(step));
  }
  static __device__ Fragment fragment(const uint4& upper, const uint4& lower) {
    return {uint4{upper.x, lower.x, upper.y, lower.y}, uint4{upper.z, lower.z, upper.w, lower.w}};
  }

 private:
  static __device__ int64_t row(int64_t tile, int vector) {
    return tile * kTileOut + threadIdx.x % kWarp / 4 + vector * 8;
  }
  static __device__ int64_t k0(int64_t step) { return step * kTileIn + threadIdx.x % 4 * 8; }
};

// c += a b over one step of K.
__device__ inline void mma_step(float (&c)[4], const Fragment& a, const uint4& b) {
  mma_m16n8k16(c, a.half[0], b.x, b.y);
  mma_m16n8k16(c, a.half[1], b.z, b.w);
}

// Epilogue of the GEMM. For the sum of row m of A and row n of B: y[n][m] = round(sum * scale +
// bias[m]), and with a residual y = round(y + residual[n][m]).
template <typename T>
struct Epilogue {
  T* y;
  int64_t pitch;
  int64_t m, n;  // sizes; results outside are dropped
  float scale = 1.0f;
  const float* bias = nullptr;
  const T* residual = nullptr;
  int64_t residual_pitch = 0;

  __device__ void operator()(int64_t row, int64_t column, float sum) const {
    if (row >= m || column >= n) return;
    const float value = sum * scale + (bias ? bias[row] : 0.0f);
    T result = round_to<T>(value);
    if (residual) {
      const T other = residual[column * residual_pitch + row];
      result = round_to<T>(to_float(result) + to_float(other));
    }
    y[column * pitch + row] = result;
  }
};

}  // namespace bifrons::cuda
