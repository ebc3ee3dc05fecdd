// Causal attention over the paged KV cache, split along the positions (flash-decoding): one block
// for every 128 positions of a row's head. The last block of a head to finish merges the partial
// results from left to right.
#include "kernels/cuda/gathered.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

constexpr int kHead = 256;  // largest head_dim; this model family has 128

struct AttentionJob {
  Pages pages;
  int64_t heads, size;
  uint32_t group;  // query heads per kv head
  int64_t q_pitch, y_pitch;
  int chunks;  // chunks of a full cache
  float scale;
};

// First column of this lane: a warp covers kWarp * kCount columns per round. If the head size is
// not a multiple of that, some lanes repeat column 0.
template <int kCount>
__device__ inline int column_of(int round) {
  return (round * kWarp + static_cast<int>(threadIdx.x) % kWarp) * kCount;
}
template <int kCount>
__device__ inline int rounds_of(int size) {
  return (size + kWarp * kCount - 1) / (kWarp * kCount);
}

// Transposing warp reduction. Every lane holds a partial result for each of 2 kHalf keys;
// afterwards lane i holds the sum over all lanes for key i. Each step halves the number of values
// per lane, always between the same lanes. It is recursive so that all indices are compile-time
// constants and the values stay in registers.
template <int kHalf>
__device__ inline float sum_across(float (&part)[2 * kHalf]) {
  const bool upper = threadIdx.x & kHalf;
  float kept[kHalf];
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
    const float send = upper ? part[i] : part[i + kHalf];
    const float keep = upper ? part[i + kHalf] : part[i];
    kept[i] = keep + __shfl_xor_sync(kAllLanes, send, kHalf);
  }
  if constexpr (kHalf == 1) {
    return kept[0];
  } else {
    return sum_across<kHalf / 2>(kept);
  }
}

// The score of this lane's key, one of the `keys` keys of the warp.
template <typename T, int kCount>
__device__ inline float score(const float* query, const WarpPages<T>& k, int keys, int size,
                              float scale) {
  if (keys == 0) return -INFINITY;
  float part[kKeys] = {};
  for (int round = 0; round < rounds_of<kCount>(size); ++round) {
    const int c = column_of<kCount>(round);
    Gathered<T, kCount> key;
    key.load(k, c < size ? c : 0, keys, size);
    if (c >= size) continue;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) part[j] = fmaf(query[c + i], key.at(j, i), part[j]);
    }
  }
  const float dot = sum_across<kKeys / 2>(part);
  return static_cast<int>(threadIdx.x) % kWarp < keys ? dot * scale : -INFINITY;
}

// mixed[c] = sum over the warp's keys of weight[key] v[key][c], for the lane's columns c. `first`:
// the values of round 0, loaded before. A missing key has weight zero and the value of the last
// key.
template <typename T, int kCount>
__device__ inline void mix(float* mixed, const float* weight, Gathered<T, kCount>& first,
                           const WarpPages<T>& v, int keys, int size) {
  float4 share[kKeys / 4];  // all weights are read before the first use, like the values
#pragma unroll
  for (int i = 0; i < kKeys / 4; ++i) share[i] = reinterpret_cast<const float4*>(weight)[i];
  for (int round = 0; round < rounds_of<kCount>(size); ++round) {
    const int c = column_of<kCount>(round);
    if (round > 0 && keys > 0) first.load(v, c < size ? c : 0, keys, size);
    if (c >= size) continue;
    float sum[kCount] = {};
    if (keys > 0) {
#pragma unroll
      for (int j = 0; j < kKeys; ++j) {
        const float4& four = share[j / 4];
        const float of_key = j % 4 == 0   ? four.x
                             : j % 4 == 1 ? four.y
                             : j % 4 == 2 ? four.z
                                          : four.w;
#pragma unroll
        for (int i = 0; i < kCount; ++i) sum[i] = fmaf(of_key, first.at(j, i), sum[i]);
      }
    }
    for (int i = 0; i < kCount; ++i) mixed[c + i] = sum[i];
  }
}

// Partial result of one chunk: the weighted sum of values relative to the chunk's maximum, the
// maximum, and the sum of weights.
struct Part {
  float* mixed;  // [size]
  float* extremes;

  __device__ static Part of(float* area, int64_t index, int64_t size) {
    float* begin = area + index * (size + 2);
    return {begin, begin + size};
  }
};

// Merges `count` partial results from left to right into y (online softmax); one thread per
// element.
template <typename T>
__device__ inline void merge(T* y, float* area, int64_t first, int count, int64_t size) {
  for (int64_t c = threadIdx.x; c < size; c += blockDim.x) {
    float maximum = -INFINITY, sum = 0.0f, mixed = 0.0f;
    for (int i = 0; i < count; ++i) {
      const Part part = Part::of(area, first + i, size);
      const float both = fmaxf(maximum, part.extremes[0]);
      const float before = expf(maximum - both), now = expf(part.extremes[0] - both);
      sum = sum * before + part.extremes[1] * now;
      mixed = mixed * before + part.mixed[c] * now;
      maximum = both;
    }
    y[c] = round_to<T>(mixed / sum);
  }
}

// Block (chunk, head, row).
template <typename T, int kCount>
__global__ void __launch_bounds__(kWarps* kWarp)
    attention_kernel(T* y, const T* q, const T* k, const T* v, const int32_t* sequences,
                     const int32_t* positions, float* area, int* counters, AttentionJob job) {
  __shared__ float query[kHead];
  __shared__ float4 weights[kChunk / 4];
  __shared__ float mixed[kWarps][kHead];
  __shared__ float extremes[2][kWarps];
  trigger_dependents();
  grid_dependency_wait();
  const int chunk = blockIdx.x, warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int64_t head = blockIdx.y, m = blockIdx.z;
  const int64_t position = positions[m], sequence = sequences[m];
  const int size = static_cast<int>(job.size);
  T* to = y + m * job.y_pitch + head * size;
  // An idle row has position -1. Nothing outside of the cache may be read.
  if (!job.pages.holds(sequence, position)) {
    if (chunk == 0) {
      for (int c = threadIdx.x; c < size; c += blockDim.x) to[c] = round_to<T>(0.0f);
    }
    return;
  }
  const int count = static_cast<int>(position / kChunk) + 1;
  if (chunk >= count) return;
  const int first = chunk * kChunk + warp * kKeys;
  const int left = static_cast<int>(position) + 1 - first;
  const int keys = left < 0 ? 0 : left < kKeys ? left : kKeys;
  const int64_t kv_head = blockIdx.y / job.group;
  int64_t row[kPages];
#pragma unroll
  for (int i = 0; i < kPages; ++i)
    row[i] = job.pages.row_near(sequence, kv_head, first + i * kPageTokens);
  for (int c = threadIdx.x; c < size; c += blockDim.x) {
    query[c] = to_float(q[m * job.q_pitch + head * size + c]);
  }
  WarpPages<T> keys_at, values_at;
#pragma unroll
  for (int i = 0; i < kPages; ++i) {
    // A position without a page is an error of the caller; here it only must not cause a read
    // outside of the cache.
    keys_at.first[i] = row[i] < 0 ? k : k + row[i] * size;
    values_at.first[i] = row[i] < 0 ? v : v + row[i] * size;
  }
  if (keys > 0) values_at.fetch(keys, size);
  __syncthreads();

  const float mine = score<T, kCount>(query, keys_at, keys, size, job.scale);
  Gathered<T, kCount> values;  // loads in flight while the block computes its maximum
  const int column = column_of<kCount>(0);
  if (keys > 0) values.load(values_at, column < size ? column : 0, keys, size);
  const float warp_maximum = warp_max(mine);
  if (lane == 0) extremes[0][warp] = warp_maximum;
  __syncthreads();
  float maximum = extremes[0][0];
  for (int w = 1; w < kWarps; ++w) maximum = fmaxf(maximum, extremes[0][w]);
  const float share = lane < keys ? expf(mine - maximum) : 0.0f;
  float* const weight = &weights[warp * kKeys / 4].x;  // weights of this warp's keys
  weight[lane] = share;
  const float warp_total = warp_sum(share);
  if (lane == 0) extremes[1][warp] = warp_total;
  __syncwarp();
  mix<T, kCount>(mixed[warp], weight, values, values_at, keys, size);
  __syncthreads();

  const int64_t parts = (m * job.heads + head) * job.chunks;
  const Part part = Part::of(area, parts + chunk, size);
  for (int c = threadIdx.x; c < size; c += blockDim.x) {
    float sum = mixed[0][c];
    for (int w = 1; w < kWarps; ++w) sum += mixed[w][c];
    part.mixed[c] = sum;
  }
  if (threadIdx.x == 0) {
    float sum = extremes[1][0];
    for (int w = 1; w < kWarps; ++w) sum += extremes[1][w];
    part.extremes[0] = maximum;
    part.extremes[1] = sum;
  }
  if (count == 1) {
    __syncthreads();  // this block itself wrote what it reads next
  } else if (!last_to_arrive(counters + m * job.heads + head, count)) {
    return;
  }
  merge(to, area, parts, count, size);
}

void attention(Stream& s, const Tensor& y, const Tensor& q, const KvCache& cache,
               const TokenRows& rows) {
  if (q.rows() == 0) return;
  const int64_t size = cache.head_dim(), heads = q.cols() / size;
  check(size <= kHead, "attention: heads of more than 256 elements");
  check(q.rows() <= 65535 && heads <= 65535, "attention: at most 65535 rows and heads");
  const AttentionJob job{.pages = Pages::of(cache),
                         .heads = heads,
                         .size = size,
                         .group = static_cast<uint32_t>(heads / cache.kv_heads()),
                         .q_pitch = q.pitch,
                         .y_pitch = y.pitch,
                         .chunks = static_cast<int>(ceil_div(cache.capacity(), kChunk)),
                         .scale = 1.0f / std::sqrt(static_cast<float>(size))};
  auto* area = reinterpret_cast<float*>(
      s.workspace.area(attention_scratch(q.rows(), heads, size, cache.capacity())));
  int* counters = s.workspace.counters(q.rows() * heads);
  const Grid grid{dim3(static_cast<unsigned>(job.chunks), static_cast<unsigned>(heads),
                       static_cast<unsigned>(q.rows())),
                  dim3(kWarps * kWarp)};
  const auto addresses =
      reinterpret_cast<uintptr_t>(cache.k.data) | reinterpret_cast<uintptr_t>(cache.v.data);
  visit_activation(q.dtype, [&](auto element) {
    using T = decltype(element);
    const auto run = [&](auto kernel) {
      launch_pdl(s.handle, s.pdl, kernel, grid, y.as<T>(), q.as<T>(), cache.k.as<T>(),
                 cache.v.as<T>(), rows.sequence.as<int32_t>(), rows.position.as<int32_t>(), area,
                 counters, job);
    };
    const bool vectors = size % 4 == 0 && addresses % (4 * sizeof(T)) == 0;
    vectors ? run(attention_kernel<T, 4>) : run(attention_kernel<T, 1>);
  });
}

}  // namespace bifrons::cuda
