// Matrix products on tensor cores: what is multiplied, in which order it is summed, and what
// happens to a sum. C [M, N] = A [M, K] B [N, K]^T; weights or one set of rows are A, sequences or
// pixels B.
//
// Order of a sum: K is cut into slices of whole steps of 32, by K alone. A slice is a chain of mma
// from zero, and slices are added left to right. Every kernel here keeps this order, whatever its
// tile is, so a column's result does not depend on N or on its neighbours.
#pragma once

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/weight_order.h"

namespace bifrons::cuda {

// How K is cut.
struct Slices {
  int count;   // a warp each where few columns are multiplied
  int length;  // steps a slice; the last ones may be shorter or empty
  int steps;
};

constexpr Slices slices_of(int64_t k) {
  const int steps = static_cast<int>((k + kTileIn - 1) / kTileIn);
  const int count = steps >= 64 ? 16 : steps >= 16 ? 8 : steps >= 4 ? 4 : 1;
  return {count, (steps + count - 1) / count, steps};
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

// Rows of activations: row n holds its K elements one after another.
struct RowsOperand {
  const Bf16* data;
  int64_t pitch;
  int64_t rows;
  int64_t k;
  bool vectors;  // rows begin at multiples of 16 bytes

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

// The pixels under a kernel's taps: "row" n is output pixel n, K runs over (tap, channel).
struct PatchOperand {
  const Bf16* data;
  int64_t height, width, channels;  // of the input
  int64_t out_width, rows;          // rows: output pixels
  int64_t kernel, stride, before;
  int64_t k;
  bool vectors;  // channels come in whole, aligned vectors of eight

  // Where K-index k0 of pixel (h, w) lies; null in the padding.
  __device__ const Bf16* at(int64_t h, int64_t w, int64_t k0) const {
    const int64_t tap = k0 / channels;
    const int64_t y = h * stride + tap / kernel - before, x = w * stride + tap % kernel - before;
    if (y < 0 || y >= height || x < 0 || x >= width) return nullptr;
    return data + (y * width + x) * channels + k0 % channels;
  }
  __device__ uint4 eight(int64_t n, int64_t k0) const {
    if (n >= rows || k0 >= k) return uint4{};
    const int64_t h = n / out_width, w = n % out_width;
    if (vectors) {
      const Bf16* from = at(h, w, k0);
      return from ? *reinterpret_cast<const uint4*>(from) : uint4{};
    }
    Bf16 x[8] = {};
    for (int i = 0; i < 8 && k0 + i < k; ++i) {
      if (const Bf16* from = at(h, w, k0 + i)) x[i] = *from;
    }
    return pack(x);
  }
};

// Tiles of an mma operand: two for a step.
struct Fragment {
  uint4 half[2];
};

// Weights in the order of weight_order.h.
struct TiledWeights {
  const uint4* data;
  int64_t tiles;
  int64_t steps;

  __device__ Fragment load(int64_t tile, int64_t step) const {
    if (tile >= tiles) return Fragment{};
    const uint4* from = data + (tile * steps + step) * 64 + threadIdx.x % kWarp;
    return {load_streaming(from), load_streaming(from + kWarp)};
  }
};

// Rows of activations in the place of weights.
struct TiledRows {
  RowsOperand x;

  __device__ Fragment load(int64_t tile, int64_t step) const {
    const int64_t row = tile * kTileOut + threadIdx.x % kWarp / 4;
    const int64_t k0 = step * kTileIn + threadIdx.x % 4 * 8;
    const uint4 upper = x.eight(row, k0), lower = x.eight(row + 8, k0);
    return {uint4{upper.x, lower.x, upper.y, lower.y}, uint4{upper.z, lower.z, upper.w, lower.w}};
  }
};

// c += a b over one step of K.
__device__ inline void multiply_step(float (&c)[4], const Fragment& a, const uint4& b) {
  multiply_tile(c, a.half[0], b.x, b.y);
  multiply_tile(c, a.half[1], b.z, b.w);
}

// What becomes of the sum of row m of A and row n of B: y[n][m] = round(sum * scale + bias[m]), and
// with a residual y = round(y + residual[n][m]).
template <typename T>
struct Finish {
  T* y;
  int64_t pitch;
  int64_t m, n;  // sizes; what lies outside is dropped
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

// A warp's tile of kM * 16 by kN * 8 over all of K. Blocks of four warps, stacked along M; blocks
// along x cover N, along y M.
constexpr int kBlockWarps = 4;

template <int kM, int kN, typename A, typename B, typename T>
__global__ void __launch_bounds__(kBlockWarps* kWarp)
    product_kernel(A a_rows, B b_rows, Finish<T> finish, Slices slices) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t first_tile = (int64_t{blockIdx.y} * kBlockWarps + warp) * kM;
  const int64_t first_column = int64_t{blockIdx.x} * kN * 8;
  if (first_tile * kTileOut >= finish.m) return;
  float total[kM][kN][4] = {};
  for (int slice = 0; slice < slices.count; ++slice) {
    float sum[kM][kN][4] = {};
    const int first = slice * slices.length;
    const int last = first + slices.length < slices.steps ? first + slices.length : slices.steps;
    for (int step = first; step < last; ++step) {
      Fragment a[kM];
      uint4 b[kN];
#pragma unroll
      for (int i = 0; i < kM; ++i) a[i] = a_rows.load(first_tile + i, step);
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        b[j] = b_rows.eight(first_column + j * 8 + lane / 4, step * kTileIn + lane % 4 * 8);
      }
#pragma unroll
      for (int i = 0; i < kM; ++i) {
#pragma unroll
        for (int j = 0; j < kN; ++j) multiply_step(sum[i][j], a[i], b[j]);
      }
    }
    for (int i = 0; i < kM; ++i) {
      for (int j = 0; j < kN; ++j) {
        for (int e = 0; e < 4; ++e) total[i][j][e] += sum[i][j][e];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kM; ++i) {
#pragma unroll
    for (int j = 0; j < kN; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        finish((first_tile + i) * kTileOut + lane / 4 + e / 2 * 8,
               first_column + j * 8 + lane % 4 * 2 + e % 2, total[i][j][e]);
      }
    }
  }
}

template <typename A, typename B, typename T>
void multiply(cudaStream_t stream, const A& a, const B& b, const Finish<T>& finish, int64_t k) {
  constexpr int kM = 2, kN = 8;
  const Grid grid{
      dim3(static_cast<unsigned>(ceil_div(finish.n, kN * 8)),
           static_cast<unsigned>(ceil_div(finish.m, int64_t{kBlockWarps} * kM * kTileOut))),
      dim3(kBlockWarps * kWarp)};
  launch(stream, product_kernel<kM, kN, A, B, T>, grid, a, b, finish, slices_of(k));
}

inline bool in_vectors(const Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.pitch * size_of(x.dtype) % 16 == 0;
}

}  // namespace bifrons::cuda
