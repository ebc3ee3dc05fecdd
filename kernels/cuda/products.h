// Matrix products on tensor cores: what is multiplied, in which order it is summed, and what
// happens to a sum. C [M, N] = A [M, K] B [N, K]^T; weights or one set of rows are A, sequences or
// pixels B.
//
// Order of a sum: K is cut into slices of whole steps of 32, by K alone. A slice is a chain of mma
// from zero, and slices are added left to right. Every kernel here keeps this order, whatever its
// tile is, so a column's result does not depend on N or on its neighbours.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
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

  __device__ void shift(int64_t elements) { data += elements; }

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
  // 32 bits: a division of 64 is a hundred instructions.
  const Bf16* data;
  int32_t height, width, channels;  // of the input
  int32_t out_width, rows;          // rows: output pixels
  int32_t kernel, stride, before;
  int32_t k;
  bool vectors;  // channels come in whole, aligned vectors of eight

  // Where K-index k0 of pixel (h, w) lies; null in the padding.
  __device__ const Bf16* at(int32_t h, int32_t w, int32_t k0) const {
    const int32_t tap = k0 / channels;
    const int32_t y = h * stride + tap / kernel - before, x = w * stride + tap % kernel - before;
    if (y < 0 || y >= height || x < 0 || x >= width) return nullptr;
    return data + (int64_t{y} * width + x) * channels + (k0 - tap * channels);
  }
  __device__ uint4 eight(int64_t column, int32_t k0) const {
    if (column >= rows || k0 >= k) return uint4{};
    const int32_t n = static_cast<int32_t>(column), h = n / out_width, w = n - h * out_width;
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

constexpr int kStepVectors = 2 * kWarp;  // 16 bytes each, of a tile's step

// Weights in the order of weight_order.h.
struct TiledWeights {
  const uint4* data;
  int64_t tiles;
  int64_t steps;

  // What this lane reads of the first step of a tile; the next step's lies kStepVectors further.
  __device__ const uint4* begin(int64_t tile) const {
    return data + tile * steps * kStepVectors + threadIdx.x % kWarp;
  }
  static __device__ Fragment load(const uint4* from) {
    return {load_streaming(from), load_streaming(from + kWarp)};
  }
  __device__ Fragment load(int64_t tile, int64_t step) const {
    return tile < tiles ? load(begin(tile) + step * kStepVectors) : Fragment{};
  }
};

// Rows of activations in the place of weights.
struct TiledRows {
  RowsOperand x;

  __device__ void shift(int64_t elements) { x.shift(elements); }
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

// Products of one shape beside each other: how far apart, in elements, operands and results lie.
struct Beside {
  int count;
  int64_t a, b, y;
};
// A single product, whose kernel is not to carry what the others need.
struct Alone {
  static constexpr int count = 1;
};

// Steps of K that are on their way from memory while those before are multiplied.
constexpr int kStage = 4;

// Many columns: a block of kWarps makes kWarps * 16 rows of kN * 8 columns. A warp reads its own
// tile of A; what is read of B serves all warps, through two buffers of shared memory.
template <int kWarps, int kN, typename A, typename B, typename T, typename Others>
__global__ void __launch_bounds__(kWarps* kWarp)
    product_kernel(A a_rows, B b_rows, Finish<T> finish, Slices slices, Others others) {
  if constexpr (std::is_same_v<Others, Beside>) {
    a_rows.shift(blockIdx.z * others.a);
    b_rows.shift(blockIdx.z * others.b);
    finish.y += blockIdx.z * others.y;
  }
  constexpr int kColumns = kN * 8, kThreads = kWarps * kWarp;
  constexpr int kEach = kStage * kColumns * 4 / kThreads;  // vectors of B that a thread fetches
  static_assert(kEach * kThreads == kStage * kColumns * 4);
  __shared__ uint4 staged[2][kStage][kColumns][4];
  const int lane = threadIdx.x % kWarp, thread = static_cast<int>(threadIdx.x);
  const int64_t tile = int64_t{blockIdx.y} * kWarps + thread / kWarp;
  const int64_t first_column = int64_t{blockIdx.x} * kColumns;

  Fragment a[kStage];
  uint4 b[kEach];
  const auto load_a = [&](int step) {
    return step < slices.steps ? a_rows.load(tile, step) : Fragment{};
  };
  const auto load_b = [&](int begin) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int at = i * kThreads + thread, column = at / 4 % kColumns;
      b[i] = b_rows.eight(first_column + column,
                          (begin + at / (4 * kColumns)) * kTileIn + at % 4 * 8);
    }
  };
#pragma unroll
  for (int i = 0; i < kStage; ++i) a[i] = load_a(i);
  load_b(0);

  float total[kN][4] = {}, sum[kN][4] = {};
  int left = slices.length;  // steps of this slice
  for (int begin = 0; begin < slices.steps; begin += kStage) {
    // Whoever still reads the other buffer has not passed the barrier after this one was filled.
    uint4(&buffer)[kStage][kColumns][4] = staged[begin / kStage % 2];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int at = i * kThreads + thread;
      buffer[at / (4 * kColumns)][at / 4 % kColumns][at % 4] = b[i];
    }
    __syncthreads();
    if (begin + kStage < slices.steps) load_b(begin + kStage);
#pragma unroll
    for (int i = 0; i < kStage; ++i) {
      if (begin + i >= slices.steps) continue;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        multiply_step(sum[j], a[i], buffer[i][j * 8 + lane / 4][lane % 4]);
      }
      a[i] = load_a(begin + kStage + i);
      if (--left > 0 && begin + i + 1 < slices.steps) continue;
      left = slices.length;
#pragma unroll
      for (int j = 0; j < kN; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) total[j][e] += std::exchange(sum[j][e], 0.0f);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < kN; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      finish(tile * kTileOut + lane / 4 + e / 2 * 8, first_column + j * 8 + lane % 4 * 2 + e % 2,
             total[j][e]);
    }
  }
}

template <int kWarps, int kN, typename A, typename B, typename T, typename Others>
void multiply_in_blocks(cudaStream_t stream, const A& a, const B& b, const Finish<T>& finish,
                        int64_t k, const Others& others) {
  // Blocks along x cover N: those that read the same rows of A follow each other.
  const Grid grid{dim3(static_cast<unsigned>(ceil_div(finish.n, kN * 8)),
                       static_cast<unsigned>(ceil_div(finish.m, kWarps * kTileOut)),
                       static_cast<unsigned>(others.count)),
                  dim3(kWarps * kWarp)};
  launch(stream, product_kernel<kWarps, kN, A, B, T, Others>, grid, a, b, finish, slices_of(k),
         others);
}

template <typename A, typename B, typename T, typename Others = Alone>
void multiply(cudaStream_t stream, const A& a, const B& b, const Finish<T>& finish, int64_t k,
              const Others& others = {}) {
  constexpr int64_t kBusy = 128;  // blocks that keep most multiprocessors of a large card at work
  const int64_t large = others.count * ceil_div(finish.m, 8 * kTileOut) * ceil_div(finish.n, 64);
  if (finish.m <= 4 * kTileOut || large < kBusy) {
    return multiply_in_blocks<4, 4>(stream, a, b, finish, k, others);
  }
  multiply_in_blocks<8, 8>(stream, a, b, finish, k, others);
}

}  // namespace bifrons::cuda
