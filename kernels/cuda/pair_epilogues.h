// Epilogues of products whose results belong together in pairs: gate and up (SwiGLU), the two
// halves of a rotated head (RoPE). A pair of outputs lies in the same row of two tiles of weights.
// Both the streaming kernel for few columns (fused.cu) and the tiled GEMM use them.
//
// Every pair has m, n (sizes), and:
//   first_tile(i), second_tile(i)  the tiles of pair i of m / 32
//   rows(i)       what depends on the pair of tiles alone
//   column(n)     what depends on the column alone; n is below the size
//   finish(rows, column, row, low, high)  takes the sums of a row, 0 .. 15, of both tiles
// 32-bit integers: a 64-bit division takes about a hundred instructions.
#pragma once

#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/pages.h"

namespace bifrons::cuda {

// The biases of two outputs; zeros without a bias.
__device__ inline float bias_at(const float* bias, int64_t row) { return bias ? bias[row] : 0.0f; }

// y = round(silu(round(gate))) * round(up); gate rows come first.
struct SwigluPair {
  Bf16* y;
  int64_t pitch;
  int64_t m, n;
  const float* bias;

  using Rows = int64_t;  // first row of gate
  using Column = Bf16*;  // a row of y
  __device__ int64_t first_tile(int64_t pair) const { return pair; }
  __device__ int64_t second_tile(int64_t pair) const { return pair + m / 2 / kTileOut; }
  __device__ Rows rows(int64_t pair) const { return pair * kTileOut; }
  __device__ Column column(int64_t at) const { return y + at * pitch; }
  __device__ void finish(Rows first, Column to, int row, float gate, float up) const {
    const int64_t i = first + row;
    const float g = rounded<Bf16>(gate + bias_at(bias, i));
    const float u = rounded<Bf16>(up + bias_at(bias, m / 2 + i));
    to[i] = round_to<Bf16>(rounded<Bf16>(silu(g)) * u);
  }
};

// y = round(gelu(round(x))) of neighbouring tiles, which have nothing to do with each other.
struct GeluPair {
  Bf16* y;
  int64_t pitch;
  int64_t m, n;
  const float* bias;

  using Rows = int64_t;
  using Column = Bf16*;
  __device__ int64_t first_tile(int64_t pair) const { return 2 * pair; }
  __device__ int64_t second_tile(int64_t pair) const { return 2 * pair + 1; }
  __device__ Rows rows(int64_t pair) const { return 2 * pair * kTileOut; }
  __device__ Column column(int64_t at) const { return y + at * pitch; }
  __device__ void finish(Rows first, Column to, int row, float low, float high) const {
    const int64_t i = first + row, j = i + kTileOut;
    to[i] = round_to<Bf16>(gelu(rounded<Bf16>(low + bias_at(bias, i))));
    to[j] = round_to<Bf16>(gelu(rounded<Bf16>(high + bias_at(bias, j))));
  }
};

// Rows i and i + size / 2 of a head of q, k or v; q and k are rotated, k and v go to the cache.
struct RopePair {
  Bf16 *q, *k, *v;
  int64_t q_pitch;
  int64_t m, n;
  Pages pages;
  int heads, size;
  const float *cos, *sin;
  int64_t cos_pitch, sin_pitch;
  const int32_t *sequence, *position;
  const float* bias;

  // The head, the first row within it, and which of q, k and v it is.
  enum class Part : uint8_t { kQuery, kKey, kValue };
  struct Rows {
    int64_t first;
    int head, within;
    Part part;
  };
  // Row of the cache for head 0, -1 if the column writes nothing; the query; the angles.
  struct Column {
    int64_t row;
    Bf16* q;
    const float *cos, *sin;
  };
  __device__ int64_t first_tile(int64_t pair) const {
    const int tiles = size / 2 / static_cast<int>(kTileOut);  // of half a head
    const int i = static_cast<int>(pair);
    return i / tiles * 2 * tiles + i % tiles;
  }
  __device__ int64_t second_tile(int64_t pair) const {
    return first_tile(pair) + size / 2 / static_cast<int>(kTileOut);
  }
  __device__ Rows rows(int64_t pair) const {
    const int first = static_cast<int>(first_tile(pair) * kTileOut), head = first / size;
    const int kv_heads = static_cast<int>(pages.kv_heads), after = head - heads;
    const Part part = after < 0 ? Part::kQuery : after < kv_heads ? Part::kKey : Part::kValue;
    const int own = part == Part::kQuery ? head : part == Part::kKey ? after : after - kv_heads;
    return {first, own, first - head * size, part};
  }
  __device__ Column column(int64_t at) const {
    const int64_t pos = position[at], in = sequence[at];
    // An idle row has position -1. A row outside of the cache must not write.
    const int64_t row = pages.holds(in, pos) ? pages.row(in, 0, pos) : -1;
    return {row, q + at * q_pitch, cos + pos * cos_pitch, sin + pos * sin_pitch};
  }
  __device__ void finish(const Rows& rows, const Column& column, int row, float low,
                         float high) const {
    if (column.row < 0) return;
    const int i = rows.within + row, half = size / 2;
    const float a = rounded<Bf16>(low + bias_at(bias, rows.first + row));
    const float b = rounded<Bf16>(high + bias_at(bias, rows.first + row + half));
    const int64_t cell = (rows.head * pages.pages * kPageTokens + column.row) * size + i;
    if (rows.part == Part::kValue) {
      v[cell] = round_to<Bf16>(a);
      v[cell + half] = round_to<Bf16>(b);
      return;
    }
    Bf16* to = rows.part == Part::kQuery ? column.q + rows.head * size + i : k + cell;
    const float c = column.cos[i], s = column.sin[i];
    to[0] = round_to<Bf16>(rounded<Bf16>(a * c) - rounded<Bf16>(b * s));
    to[half] = round_to<Bf16>(rounded<Bf16>(b * c) + rounded<Bf16>(a * s));
  }
};

// A pair as an epilogue of the tiled GEMM: places 2 i and 2 i + 1 are the tiles of pair i.
template <typename Pair>
struct PairEpilogue {
  Pair pair;
  int64_t m = pair.m, n = pair.n;

  __device__ int64_t tile(int64_t place) const {
    const int64_t i = place / 2;
    if (i >= m / (2 * kTileOut)) return m / kTileOut;  // outside
    return place % 2 == 0 ? pair.first_tile(i) : pair.second_tile(i);
  }
  __device__ void store(int64_t place, int64_t column, const float4 (&sum)[kWarpTiles]) const {
    const int64_t i = place / 2;
    if (i >= m / (2 * kTileOut)) return;
    const int lane = threadIdx.x % kWarp;
    const auto rows = pair.rows(i);
    const float low[4] = {sum[0].x, sum[0].y, sum[0].z, sum[0].w};
    const float high[4] = {sum[1].x, sum[1].y, sum[1].z, sum[1].w};
#pragma unroll
    for (int right = 0; right < 2; ++right) {
      const int64_t at = column + lane % 4 * 2 + right;
      if (at >= n) continue;
      const auto of_column = pair.column(at);
      pair.finish(rows, of_column, lane / 4, low[right], high[right]);
      pair.finish(rows, of_column, lane / 4 + 8, low[2 + right], high[2 + right]);
    }
  }
};

}  // namespace bifrons::cuda
