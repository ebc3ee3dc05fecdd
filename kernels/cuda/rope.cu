// RoPE, and appending k and v to the paged KV cache.
#include "kernels/cache_codes.h"
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/pages.h"

namespace bifrons::cuda {

struct RopeJob {
  Pages pages;
  int64_t heads, size;
  int64_t qkv_pitch, q_pitch, cos_pitch, sin_pitch;
};

// One thread per pair (i, i + size / 2) of one head of q, k or v of one row.
template <typename T>
__global__ void rope_append_kernel(T* q, T* k, T* v, const T* qkv, const float* cos,
                                   const float* sin, const int32_t* sequences,
                                   const int32_t* positions, RopeJob job) {
  trigger_dependents();
  grid_dependency_wait();
  const int64_t m = blockIdx.x, sequence = sequences[m], position = positions[m];
  // An idle row has position -1. A row outside of the cache must not write.
  if (!job.pages.holds(sequence, position)) return;
  const int64_t kv_heads = job.pages.kv_heads;
  const int64_t half = job.size / 2;
  const int64_t pair = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
  if (pair >= (job.heads + 2 * kv_heads) * half) return;
  const int64_t head = pair / half, i = pair % half;
  const T* from = qkv + m * job.qkv_pitch + head * job.size;
  const int64_t kv_head = head < job.heads ? 0 : (head - job.heads) % kv_heads;
  const int64_t row = job.pages.row(sequence, kv_head, position);
  if (row < 0) return;
  if (head >= job.heads + kv_heads) {
    v[row * job.size + i] = from[i];
    v[row * job.size + i + half] = from[i + half];
    return;
  }
  T* to = head < job.heads ? q + m * job.q_pitch + head * job.size : k + row * job.size;
  const float c = cos[position * job.cos_pitch + i], s = sin[position * job.sin_pitch + i];
  const float a = to_float(from[i]), b = to_float(from[i + half]);
  to[i] = round_to<T>(rounded<T>(a * c) - rounded<T>(b * s));
  to[i + half] = round_to<T>(rounded<T>(b * c) + rounded<T>(a * s));
}

constexpr int kInt8Warps = 4;
constexpr int kMostSize = 256;  // elements of a head

// A warp's elements: those of lane l are l, l + kWarp, ... of the first half and of the second.
struct WarpHead {
  static constexpr int kPairs = kMostSize / 2 / kWarp;  // most of a lane
  float low[kPairs], high[kPairs];

  // Calls each(number of the pair, its first element).
  template <typename Each>
  static __device__ void each_pair(int64_t half, const Each& each) {
#pragma unroll
    for (int p = 0; p < kPairs; ++p) {
      const int64_t i = p * kWarp + threadIdx.x % kWarp;
      if (i < half) each(p, i);
    }
  }
  // Stores the head in 8 bits as a row of the cache.
  __device__ void store(std::byte* cache, int64_t row, int64_t size) const {
    uint32_t largest = 0;
    each_pair(size / 2, [&](int p, int64_t) {
      const uint32_t a = magnitude_bits(low[p]), b = magnitude_bits(high[p]);
      const uint32_t both = a > b ? a : b;
      largest = both > largest ? both : largest;
    });
#pragma unroll
    for (int other = kWarp / 2; other > 0; other /= 2) {
      const uint32_t theirs = __shfl_xor_sync(kAllLanes, largest, other);
      largest = theirs > largest ? theirs : largest;
    }
    const CacheScale scale = CacheScale::of(largest);
    if (threadIdx.x % kWarp == 0) *scale_at(cache, row, size) = scale.step;
    Int8* const codes = element_at<Int8>(cache, row, size);
    const bool zero = !(scale.codes_per_one > 0);
    each_pair(size / 2, [&](int p, int64_t i) {
      codes[i].code = zero ? 0 : scale.code(low[p]);
      codes[i + size / 2].code = zero ? 0 : scale.code(high[p]);
    });
  }
};

// The same for a cache in 8 bits: one warp per head of q, k or v of one row, because a head's scale
// depends on all its elements.
template <typename T>
__global__ void rope_append_int8_kernel(T* q, std::byte* k, std::byte* v, const T* qkv,
                                        const float* cos, const float* sin,
                                        const int32_t* sequences, const int32_t* positions,
                                        RopeJob job) {
  trigger_dependents();
  grid_dependency_wait();
  const int64_t m = blockIdx.x, sequence = sequences[m], position = positions[m];
  if (!job.pages.holds(sequence, position)) return;
  const int64_t kv_heads = job.pages.kv_heads, half = job.size / 2;
  const int64_t head = int64_t{blockIdx.y} * kInt8Warps + threadIdx.x / kWarp;
  if (head >= job.heads + 2 * kv_heads) return;
  const T* from = qkv + m * job.qkv_pitch + head * job.size;
  const int64_t kv_head = head < job.heads ? 0 : (head - job.heads) % kv_heads;
  const int64_t row = job.pages.row(sequence, kv_head, position);
  if (row < 0) return;
  const bool turns = head < job.heads + kv_heads;
  WarpHead mine;
  WarpHead::each_pair(half, [&](int p, int64_t i) {
    const float a = to_float(from[i]), b = to_float(from[i + half]);
    const float c = cos[position * job.cos_pitch + i], s = sin[position * job.sin_pitch + i];
    mine.low[p] = turns ? rounded<T>(rounded<T>(a * c) - rounded<T>(b * s)) : a;
    mine.high[p] = turns ? rounded<T>(rounded<T>(b * c) + rounded<T>(a * s)) : b;
  });
  if (head < job.heads) {
    T* const to = q + m * job.q_pitch + head * job.size;
    WarpHead::each_pair(half, [&](int p, int64_t i) {
      to[i] = round_to<T>(mine.low[p]);
      to[i + half] = round_to<T>(mine.high[p]);
    });
  } else {
    mine.store(turns ? k : v, row, job.size);
  }
}

void rope_append(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& qkv,
                 const RopeTable& rope, const TokenRows& rows) {
  if (q.rows() == 0) return;
  const int64_t size = cache.head_dim();
  const RopeJob job{.pages = Pages::of(cache),
                    .heads = q.cols() / size,
                    .size = size,
                    .qkv_pitch = qkv.pitch,
                    .q_pitch = q.pitch,
                    .cos_pitch = rope.cos.pitch,
                    .sin_pitch = rope.sin.pitch};
  const int64_t all_heads = job.heads + 2 * cache.kv_heads();
  if (cache.int8_kv()) {
    check(size <= kMostSize, "attention: heads of more than 256 elements");
    const Grid by_heads{dim3(static_cast<unsigned>(q.rows()),
                             static_cast<unsigned>(ceil_div(all_heads, kInt8Warps))),
                        dim3(kInt8Warps * kWarp)};
    visit_activation(q.dtype, [&](auto element) {
      using T = decltype(element);
      launch_pdl(s.handle, s.pdl, rope_append_int8_kernel<T>, by_heads, q.as<T>(),
                 cache.k.as<std::byte>(), cache.v.as<std::byte>(), static_cast<const T*>(qkv.data),
                 static_cast<const float*>(rope.cos.data), static_cast<const float*>(rope.sin.data),
                 static_cast<const int32_t*>(rows.sequence.data),
                 static_cast<const int32_t*>(rows.position.data), job);
    });
    return;
  }
  const int64_t pairs = all_heads * (size / 2);
  constexpr int kThreads = 128;
  const Grid grid{
      dim3(static_cast<unsigned>(q.rows()), static_cast<unsigned>(ceil_div(pairs, kThreads))),
      dim3(kThreads)};
  visit_activation(q.dtype, [&](auto element) {
    using T = decltype(element);
    launch_pdl(s.handle, s.pdl, rope_append_kernel<T>, grid, q.as<T>(), cache.k.as<T>(),
               cache.v.as<T>(), static_cast<const T*>(qkv.data),
               static_cast<const float*>(rope.cos.data), static_cast<const float*>(rope.sin.data),
               static_cast<const int32_t*>(rows.sequence.data),
               static_cast<const int32_t*>(rows.position.data), job);
  });
}

}  // namespace bifrons::cuda
