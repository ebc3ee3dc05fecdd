// Fused kernel: rms_norm, GEMM with few columns, and an epilogue (RoPE or SwiGLU) in the kernel
// that streams the weights. For decode steps, where the time between two kernels counts. A block
// computes two tiles of outputs that belong together: the two halves of a rotated head, or gate and
// up.
#include "kernels/cuda/gemm_operands.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pages.h"
#include "kernels/cuda/row_norm.h"

namespace bifrons::cuda {

constexpr int kColumns = 8;
// Pipeline stages: steps of weights in flight (cp.async) while one is multiplied. As many as fit
// into kLeastShared.
constexpr int kStepsAhead = 3;

// Rows of x before their rms_norm; rows are whole vectors of eight.
struct NormedRows {
  const Bf16* x;
  int64_t pitch, rows, k;
  const float* weight;  // weight of the norm
  float eps;
};

// Both tiles of a block; `pair` is the epilogue for their sums.
template <typename Pair>
__global__ void __launch_bounds__(16 * kWarp, 2)
    norm_gemm_kernel(TiledWeights weights, NormedRows rows, Pair pair, KSlices slices) {
  __shared__ float partials[kColumns][kPartials];
  // Dynamic shared memory, used twice: first for the steps of both tiles in flight (a lane reads
  // only what it copied itself), then for the sums of the slices.
  uint4* const copied = dynamic_shared<uint4>();   // [slices][kStepsAhead][2][2][kWarp]
  float* const partial = dynamic_shared<float>();  // [slices][2][kColumns][16]
  const int lane = threadIdx.x % kWarp, slice = threadIdx.x / kWarp;
  const int64_t tiles[2] = {pair.first_tile(blockIdx.x), pair.second_tile(blockIdx.x)};
  const uint4* const stream[2] = {weights.begin(tiles[0]), weights.begin(tiles[1])};
  const int first = slice * slices.length;
  const int last = first + slices.length < slices.steps ? first + slices.length : slices.steps;

  // The first weights are in flight while the previous kernel ends (PDL) and the norm is computed.
  uint4* const mine = copied + slice * kStepsAhead * 2 * kStepVectors + lane;
  const auto fetch = [&](int slot, int step) {
    if (step < last) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        cp_async_16(mine + (slot * 4 + i) * kWarp,
                    stream[i / 2] + step * kStepVectors + i % 2 * kWarp, true);
      }
    }
    cp_async_commit();
  };
#pragma unroll
  for (int i = 0; i < kStepsAhead; ++i) fetch(i, first + i);
  trigger_dependents();
  grid_dependency_wait();
  sum_partials<4>(partials, rows.x, rows.pitch, rows.rows, rows.k);
  __syncthreads();
  const int column = lane / 4;
  const bool inside = column < rows.rows;
  const float scale = inside ? row_scale(partials[column], rows.k, rows.eps) : 0.0f;
  const Bf16* const from = rows.x + column * rows.pitch;
  const int k = static_cast<int>(rows.k);

  float sum[2][4] = {};
  for (int begin = first; begin < last; begin += kStepsAhead) {
    uint4 b[kStepsAhead] = {};
#pragma unroll
    for (int i = 0; i < kStepsAhead; ++i) {
      const int k0 = (begin + i) * static_cast<int>(kTileIn) + lane % 4 * 8;
      if (begin + i < last && inside && k0 < k) {
        b[i] = normed_eight(from + k0, rows.weight + k0, scale);
      }
    }
#pragma unroll
    for (int i = 0; i < kStepsAhead; ++i) {
      if (begin + i >= last) continue;
      cp_async_wait<kStepsAhead - 1>();
      const uint4* const a = mine + i * 4 * kWarp;
      mma_step(sum[0], TiledWeights::fragment(a[0], a[kWarp]), b[i]);
      mma_step(sum[1], TiledWeights::fragment(a[2 * kWarp], a[3 * kWarp]), b[i]);
      fetch(i, begin + i + kStepsAhead);  // after the products: see streaming_kernel()
    }
  }
  __syncthreads();  // all warps have read their weights; `partial` reuses the memory

  constexpr int kTile = kColumns * static_cast<int>(kTileOut);
  for (int t = 0; t < 2; ++t) {
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + e / 2 * 8, n = lane % 4 * 2 + e % 2;
      partial[(slice * 2 + t) * kTile + n * static_cast<int>(kTileOut) + row] = sum[t][e];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kTile; i += blockDim.x) {
    const int64_t n = i / kTileOut, row = i % kTileOut;
    if (n >= rows.rows) continue;
    const auto total = [&](int t) {
      return sum_of_slices(slices, [&](int s) { return partial[(s * 2 + t) * kTile + i]; });
    };
    pair.finish(n, tiles[0] * kTileOut + row, total(0), tiles[1] * kTileOut + row, total(1));
  }
}

// SwiGLU epilogue: y = round(silu(round(gate))) * round(up); gate rows come first.
struct SwigluPair {
  Bf16* y;
  int64_t pitch;
  int64_t half;
  const float* bias;

  __device__ int64_t first_tile(int64_t block) const { return block; }
  __device__ int64_t second_tile(int64_t block) const { return block + half / kTileOut; }
  __device__ void finish(int64_t n, int64_t gate_row, float gate, int64_t up_row, float up) const {
    const float g = rounded<Bf16>(gate + (bias ? bias[gate_row] : 0.0f));
    const float u = rounded<Bf16>(up + (bias ? bias[up_row] : 0.0f));
    y[n * pitch + gate_row] = round_to<Bf16>(rounded<Bf16>(silu(g)) * u);
  }
};

// RoPE epilogue: rows i and i + size / 2 of a head of q, k or v.
struct RopePair {
  Bf16 *q, *k, *v;
  int64_t q_pitch;
  Pages pages;
  int64_t heads, size;
  const float *cos, *sin;
  int64_t cos_pitch, sin_pitch;
  const int32_t *sequence, *position;
  const float* bias;

  __device__ int64_t first_tile(int64_t block) const {
    const int64_t tiles = size / 2 / kTileOut;  // tiles of half a head
    return block / tiles * 2 * tiles + block % tiles;
  }
  __device__ int64_t second_tile(int64_t block) const {
    return first_tile(block) + size / 2 / kTileOut;
  }
  __device__ void finish(int64_t n, int64_t low_row, float low, int64_t high_row,
                         float high) const {
    const int64_t at = position[n], in = sequence[n];
    // An idle row has position -1. A row outside of the cache must not write.
    if (!pages.holds(in, at)) return;
    const float a = rounded<Bf16>(low + (bias ? bias[low_row] : 0.0f));
    const float b = rounded<Bf16>(high + (bias ? bias[high_row] : 0.0f));
    const int64_t head = low_row / size, i = low_row % size, half = size / 2;
    const int64_t kv_head = head < heads ? 0 : (head - heads) % pages.kv_heads;
    const int64_t row = pages.row(in, kv_head, at);
    if (row < 0) return;
    if (head >= heads + pages.kv_heads) {
      v[row * size + i] = round_to<Bf16>(a);
      v[row * size + i + half] = round_to<Bf16>(b);
      return;
    }
    Bf16* to = head < heads ? q + n * q_pitch + head * size : k + row * size;
    const float c = cos[at * cos_pitch + i], s = sin[at * sin_pitch + i];
    to[i] = round_to<Bf16>(rounded<Bf16>(a * c) - rounded<Bf16>(b * s));
    to[i + half] = round_to<Bf16>(rounded<Bf16>(b * c) + rounded<Bf16>(a * s));
  }
};

bool fits(const Tensor& x, const Linear& weight) {
  return x.dtype == DType::kBf16 && weight.dtype == DType::kBf16 && x.rows() <= kColumns &&
         x.rows() > 0 && in_vectors(x) && x.cols() % 8 == 0;
}

template <typename Pair>
void stream_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps, const Linear& weight,
                  const Pair& pair) {
  const KSlices slices = slices_of(weight.in);
  const int64_t tiles = weight.out / kTileOut;
  const TiledWeights weights{static_cast<const uint4*>(weight.storage.data()), tiles,
                             ceil_div(weight.in, kTileIn)};
  const NormedRows rows{x.as<Bf16>(),
                        x.pitch,
                        x.rows(),
                        x.cols(),
                        static_cast<const float*>(norm.weight.data()),
                        static_cast<float>(eps)};
  const Grid grid{
      dim3(static_cast<unsigned>(tiles / 2)), dim3(static_cast<unsigned>(slices.count * kWarp)),
      slices.count * kStepsAhead * 2 * kStepVectors * static_cast<int64_t>(sizeof(uint4))};
  static_assert(2 * kColumns * kTileOut * sizeof(float) <= 2 * kStepVectors * sizeof(uint4));
  static_assert(kMostSlices * kStepsAhead * 2 * kStepVectors * sizeof(uint4) +
                    kColumns * kPartials * sizeof(float) <=
                kLeastShared);
  launch_pdl(s.handle, s.pdl, norm_gemm_kernel<Pair>, grid, weights, rows, pair, slices);
}

bool norm_linear_swiglu(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                        const Linear& weight) {
  const int64_t half = weight.out / 2;
  if (!fits(x, weight) || half % kTileOut != 0) return false;
  stream_pairs(
      s, x, norm, eps, weight,
      SwigluPair{y.as<Bf16>(), y.pitch, half, static_cast<const float*>(weight.bias.data())});
  return true;
}

bool norm_linear_rope(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& x,
                      const Norm& norm, double eps, const Linear& weight, const RopeTable& rope,
                      const TokenRows& rows) {
  const int64_t size = cache.head_dim();
  if (!fits(x, weight) || size / 2 % kTileOut != 0) return false;
  const RopePair pair{.q = q.as<Bf16>(),
                      .k = cache.k.as<Bf16>(),
                      .v = cache.v.as<Bf16>(),
                      .q_pitch = q.pitch,
                      .pages = Pages::of(cache),
                      .heads = q.cols() / size,
                      .size = size,
                      .cos = rope.cos.as<float>(),
                      .sin = rope.sin.as<float>(),
                      .cos_pitch = rope.cos.pitch,
                      .sin_pitch = rope.sin.pitch,
                      .sequence = rows.sequence.as<int32_t>(),
                      .position = rows.position.as<int32_t>(),
                      .bias = static_cast<const float*>(weight.bias.data())};
  stream_pairs(s, x, norm, eps, weight, pair);
  return true;
}

}  // namespace bifrons::cuda
