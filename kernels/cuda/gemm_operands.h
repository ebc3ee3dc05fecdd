// GEMM on tensor cores: operands, order of summation, epilogue. C [M, N] = A [M, K] B [N, K]^T; A
// is weights or one set of rows, B is tokens or pixels.
//
// Order of a sum: K is cut into slices of whole steps of 32; the cut depends only on K. Slices form
// groups. A slice is a chain of mma from zero (quantised weights: of scaled steps, see
// quantised_weights.h); the slices of a group are added from left to right, and so are the groups.
// Every kernel here keeps this order for any tile and any number of blocks that share a sum
// (split-K). So a column's result does not depend on N or on its neighbours.
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

// Operands in shared memory come from "places": a row of B, or half a tile of A for one lane.
// place() does what depends on the row alone, so that a step of K only adds. Rows outside repeat
// the last one, whose results are dropped. Places count vectors of eight elements in 32 bits: up to
// 64 GiB.

// Rows of activations: the K elements of row n are contiguous.
struct RowsOperand {
  const Bf16* data;
  int64_t pitch;
  int64_t rows;
  int64_t k;
  bool vectors;  // rows begin at multiples of 16 bytes

  __device__ void shift(int64_t elements) { data += elements; }

  // Whether place() and address() can be used: K consists of whole, aligned vectors of eight.
  bool whole() const { return vectors && k % 8 == 0; }
  using Place = uint32_t;
  __device__ Place place(int64_t n) const {
    return static_cast<uint32_t>((n < rows ? n : rows - 1) * (pitch / 8));
  }
  // Address of elements k0 .. k0 + 7, with k0 a multiple of 8; null past the end.
  __device__ const Bf16* address(Place row, int k0) const {
    return k0 < static_cast<int>(k) ? data + int64_t{row + static_cast<uint32_t>(k0) / 8} * 8
                                    : nullptr;
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
// (tap, channel). One picture; shift() goes to another one.
struct PatchOperand {
  // 32-bit integers: a 64-bit division takes about a hundred instructions.
  const Bf16* data;
  int32_t height, width, channels;  // of the input
  int32_t out_width, rows;          // rows: output pixels
  int32_t kernel, stride, before;
  int32_t k;
  bool vectors;  // channels are whole, aligned vectors of eight

  __device__ void shift(int64_t elements) { data += elements; }

  struct Place {
    int32_t h, w;  // of an output pixel
  };
  __device__ Place place(int64_t column) const {
    const int32_t n = column < rows ? static_cast<int32_t>(column) : rows - 1;
    const int32_t h = n / out_width;
    return {h, n - h * out_width};
  }
  // Address of K index k0 of a pixel; null in the padding and past the end.
  bool whole() const { return vectors; }
  __device__ const Bf16* address(Place pixel, int32_t k0) const {
    if (k0 >= k) return nullptr;
    const int32_t tap = k0 / channels;
    const int32_t y = pixel.h * stride + tap / kernel - before;
    const int32_t x = pixel.w * stride + tap % kernel - before;
    if (y < 0 || y >= height || x < 0 || x >= width) return nullptr;
    return data + (int64_t{y} * width + x) * channels + (k0 - tap * channels);
  }
  __device__ uint4 eight(int64_t column, int32_t k0) const {
    if (column >= rows) return uint4{};
    const Place pixel = place(column);
    Bf16 x[8] = {};
    for (int i = 0; i < 8; ++i) {
      if (const Bf16* from = address(pixel, k0 + i)) x[i] = *from;
    }
    return pack(x);
  }
};

// Registers of the A operand of mma: two m16k16 tiles per step.
struct Fragment {
  uint4 half[2];
};

// Tiles of 16 rows that a warp of the GEMM multiplies. Two tiles that belong together (a pair
// epilogue) are neighbours, so that one thread has both sums.
constexpr int kWarpTiles = 2;

// Scales of weights that have none.
struct NoScale {};

// Weights in the layout of weight_order.h.
struct TiledWeights {
  const uint4* data;
  int64_t tiles;
  int64_t steps;

  // Every kind of weights has:
  //   kScaled           whether rows have scales, one for each group of inputs
  //   kVectors          vectors of 16 bytes in a tile's step
  //   kSharedByLanes    whether a lane reads vectors that another lane copied
  //   kBytes            per weight, scales included
  //   begin(tile)       its first step; the next step is kVectors further
  //   scales_of(tile), scale(scales, step)  this lane's scales of a step
  static constexpr bool kScaled = false;
  static constexpr int kVectors = 2 * kWarp;
  static constexpr bool kSharedByLanes = false;
  static constexpr double kBytes = 2;
  using Scale = NoScale;
  __device__ const uint4* begin(int64_t tile) const { return data + tile * steps * kVectors; }
  __device__ NoScale scales_of(int64_t) const { return {}; }
  static __device__ NoScale scale(NoScale, int) { return {}; }

  // For copies through shared memory: a vector of a tile, and the fragment that this lane takes
  // from a step of a tile.
  bool whole() const { return true; }
  using Place = uint32_t;
  __device__ Place place(int64_t tile, int vector) const {
    const int64_t inside = tile < tiles ? tile : tiles - 1;
    return static_cast<uint32_t>(inside * steps * kVectors + vector);
  }
  __device__ const void* address(Place place, int step) const {
    return data + int64_t{place + static_cast<uint32_t>(step * kVectors)};
  }
  static __device__ Fragment fragment(const uint4* step) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    return {step[lane], step[lane + kWarp]};
  }
};

// Copies a step of a tile of weights to `to` (cp.async), by one warp.
template <typename W>
__device__ void copy_step(uint4* to, const uint4* from) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int v = 0; v < W::kVectors; v += kWarp) {
    if (W::kVectors - v < kWarp && lane >= W::kVectors - v) continue;
    cp_async_16(to + v + lane, from + v + lane, true);
  }
}

// Between a warp's copies and its reads, and between its reads and the next copies to the same
// place.
template <typename W>
__device__ void meet_lanes() {
  if constexpr (W::kSharedByLanes) __syncwarp();
}

// Rows of activations as A operand: a lane's two vectors belong to the upper and the lower half of
// a tile.
struct TiledRows {
  RowsOperand x;
  const Bf16* data = x.data;

  static constexpr bool kScaled = false;
  static constexpr int kVectors = 2 * kWarp;
  static constexpr double kBytes = 2;

  __device__ void shift(int64_t elements) { x.shift(elements); }

  bool whole() const { return x.whole(); }
  using Place = RowsOperand::Place;
  __device__ Place place(int64_t tile, int vector) const { return x.place(row(tile, vector)); }
  __device__ const void* address(Place place, int step) const { return x.address(place, k0(step)); }
  __device__ uint4 eight(int64_t tile, int step, int vector) const {
    return x.eight(row(tile, vector), k0(step));
  }
  static __device__ Fragment fragment(const uint4* step) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const uint4 upper = step[lane], lower = step[lane + kWarp];
    return {uint4{upper.x, lower.x, upper.y, lower.y}, uint4{upper.z, lower.z, upper.w, lower.w}};
  }

 private:
  static __device__ int64_t row(int64_t tile, int vector) {
    return tile * kTileOut + vector % kWarp / 4 + vector / kWarp * 8;
  }
  static __device__ int k0(int step) {
    return step * static_cast<int>(kTileIn) + static_cast<int>(threadIdx.x) % 4 * 8;
  }
};

// c += a b over one step of K.
__device__ inline void mma_step(float (&c)[4], const Fragment& a, const uint4& b, NoScale = {}) {
  mma_m16n8k16(c, a.half[0], b.x, b.y);
  mma_m16n8k16(c, a.half[1], b.z, b.w);
}

// Epilogue of the GEMM. For the sum of row m of A and row n of B: y[n][m] = round(sum * scale +
// bias[m]), and with a residual y = round(y + residual[n][m]). Every epilogue has m, n, and:
//   tile(i)    the tile of A that is multiplied in place i
//   store(i, column, sum)  takes a lane's sums of places i and i + 1 and of the eight columns from
//                          `column` on, in the order of mma_m16n8k16()'s result
template <typename T>
struct Epilogue {
  T* y;
  int64_t pitch;
  int64_t m, n;  // sizes; results outside are dropped
  float scale = 1.0f;
  const float* bias = nullptr;
  const T* residual = nullptr;
  int64_t residual_pitch = 0;

  __device__ int64_t tile(int64_t place) const { return place; }
  __device__ void store(int64_t place, int64_t column, const float4 (&sum)[kWarpTiles]) const {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int r = 0; r < kWarpTiles; ++r) {
      const float four[4] = {sum[r].x, sum[r].y, sum[r].z, sum[r].w};
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        (*this)((place + r) * kTileOut + lane / 4 + e / 2 * 8, column + lane % 4 * 2 + e % 2,
                four[e]);
      }
    }
  }
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
