// One chunk of keys of attention(), for the rows of a block that share a sequence.
#pragma once

#include "kernels/cuda/gathered.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/pages.h"

namespace bifrons::cuda {

constexpr int kHead = 256;  // largest head_dim
constexpr int kRows = 8;    // most rows of a block

struct AttentionJob {
  Pages pages;
  int64_t heads;
  int size;        // elements of a head
  uint32_t group;  // query heads per kv head
  int64_t q_pitch, y_pitch;
  int64_t rows;
  int stride, shared;  // see TokenRows
  int chunks;          // chunks of a full cache
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

// Adds the products of a query and of the loaded columns of the keys.
template <typename T, int kCount>
__device__ inline void add_products(float (&part)[kKeys], const float* query,
                                    const Gathered<T, kCount>& key) {
#pragma unroll
  for (int j = 0; j < kKeys; ++j) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) part[j] = fmaf(query[i], key.at(j, i), part[j]);
  }
}

// sum[i] = sum over the warp's keys of weight[key] v[key][i]. What lies behind the row's keys is
// left out: it may be anything.
template <typename T, int kCount>
__device__ inline void mix(float (&sum)[kCount], const float* weight, const Gathered<T, kCount>& v,
                           int keys) {
  float4 share[kKeys / 4];  // all weights are read before the first use, like the values
#pragma unroll
  for (int i = 0; i < kKeys / 4; ++i) share[i] = reinterpret_cast<const float4*>(weight)[i];
  const auto add = [&](int j) {
    const float4& four = share[j / 4];
    const float of_key = j % 4 == 0 ? four.x : j % 4 == 1 ? four.y : j % 4 == 2 ? four.z : four.w;
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum[i] = fmaf(of_key, v.at(j, i), sum[i]);
  };
  if (keys == kKeys) {
#pragma unroll
    for (int j = 0; j < kKeys; ++j) add(j);
  } else {
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      if (j < keys) add(j);
    }
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

// What the warps of a block exchange.
struct BlockMemory {
  float query[kRows][kHead];
  float4 weights[kRows][kChunk / 4];  // scores first, then weights
  float mixed[2][kWarps][kHead];      // of this row and of the one before
  float extremes[kRows][2][kWarps];   // maxima and sums
  int position[kRows];                // -1: idle
  int sequence[kRows];
  bool last[kRows];
};

// Rows [begin, end) of a block, all of one sequence, and one chunk. T is the element of the cache.
// In 8 bits a key's scale multiplies its score, and a value's scale its weight. kMany: whether that
// can be more
// than one row. For many rows the compiler keeps keys and values as f32 in registers, which would
// leave too few blocks on a multiprocessor where each is used once.
template <typename T, int kCount, int kSize, bool kMany>
class ChunkOfRows {
 public:
  __device__ ChunkOfRows(BlockMemory& memory, const AttentionJob& job, std::byte* k, std::byte* v,
                         int begin, int end, int chunk)
      : memory_(memory), job_(job), begin_(begin), end_(kMany ? end : begin + 1), chunk_(chunk) {
    int furthest = -1, sequence = 0;
    for (int r = begin_; r < end_; ++r) {
      if (memory.position[r] >= 0) sequence = memory.sequence[r];
      furthest = memory.position[r] > furthest ? memory.position[r] : furthest;
    }
    keys_ = keys_of(furthest);
    for (int i = 0; i < kPages; ++i) values_at_.first[i] = element_at<T>(v, 0, size());
    if (keys_ == 0) return;
    const int64_t kv_head = blockIdx.y / job.group;
#pragma unroll
    for (int i = 0; i < kPages; ++i) {
      const int64_t row = job.pages.row_near(sequence, kv_head, first_key() + i * int{kPageTokens});
      // A position without a page is an error of the caller; here it only must not cause a read
      // outside of the cache.
      keys_at_.first[i] = element_at<T>(k, row < 0 ? 0 : row, size());
      values_at_.first[i] = element_at<T>(v, row < 0 ? 0 : row, size());
    }
    for (int i = 1; i < kPages; ++i) {
      if (keys_ > i * int{kPageTokens}) continue;  // nothing of this page is needed
      keys_at_.first[i] = keys_at_.first[0];
      values_at_.first[i] = values_at_.first[0];
    }
    values_at_.fetch(keys_, size());
  }

  // Scores of all rows, and the maximum of each warp.
  __device__ void score() const {
    if (keys_ == 0) {
      each_row([&](int r) { put_score(r, -INFINITY); });
      return;
    }
    // Loading and using stand without a branch between them. Otherwise the compiler moves the
    // unpacking before the branch, which takes twice the registers.
    Gathered<T, kCount> key;
    if (kOnce) key.load(keys_at_, own_column(0), size());
    const float scale = job_.scale * keys_at_.scale();
    each_row([&](int r) {
      float part[kKeys] = {};
      for (int round = 0; round < rounds_of<kCount>(size()); ++round) {
        if (!kOnce) key.load(keys_at_, own_column(round), size());
        if (column_of<kCount>(round) >= size()) continue;
        add_products<T, kCount>(part, memory_.query[r] + column_of<kCount>(round), key);
      }
      const float dot = sum_across<kKeys / 2>(part);
      put_score(r, lane() < keys_of(memory_.position[r]) ? dot * scale : -INFINITY);
    });
  }

  // Partial results of all rows, after a barrier. `area`: of row 0 of the block and this head;
  // `stride`: rows between two rows of the block.
  __device__ void finish(float* area, int stride) const {
    Gathered<T, kCount> value;  // loads in flight while the weights are computed
    if (kOnce) value.load(values_at_, own_column(0), size());
    const float scale = keys_ > 0 ? values_at_.scale() : 0.0f;
    int turn = 0;
    each_row([&](int r) {
      const int keys = keys_of(memory_.position[r]);
      float maximum = memory_.extremes[r][0][0];
      for (int w = 1; w < kWarps; ++w) maximum = fmaxf(maximum, memory_.extremes[r][0][w]);
      const float share = lane() < keys ? expf(weights(r)[lane()] - maximum) : 0.0f;
      weights(r)[lane()] = WarpPages<T>::kScaled && lane() < keys ? share * scale : share;
      const float warp_total = warp_sum(share);
      if (lane() == 0) memory_.extremes[r][1][warp()] = warp_total;
      __syncwarp();
      float(&mixed)[kWarps][kHead] = memory_.mixed[turn++ % 2];
      for (int round = 0; round < rounds_of<kCount>(size()); ++round) {
        const int c = column_of<kCount>(round);
        if (!kOnce) value.load(values_at_, own_column(round), size());
        if (c >= size()) continue;
        float sum[kCount] = {};
        mix<T, kCount>(sum, weights(r), value, keys);
#pragma unroll
        for (int i = 0; i < kCount; ++i) mixed[warp()][c + i] = sum[i];
      }
      __syncthreads();
      store(Part::of(area, int64_t{r} * stride * job_.heads * job_.chunks + chunk_, size()), r,
            maximum, mixed);
    });
  }

 private:
  // Calls row(r) for every row that has keys in this chunk. Without a loop for a single row, so
  // that nothing is moved out of it.
  template <typename Row>
  __device__ void each_row(const Row& row) const {
    if constexpr (kMany) {
#pragma unroll 1
      for (int r = begin_; r < end_; ++r) {
        if (has(r)) row(r);
      }
    } else {
      if (has(begin_)) row(begin_);
    }
  }
  // Whether one round covers a head.
  static constexpr bool kOnce = kSize > 0 && kSize <= kWarp* kCount;

  __device__ void put_score(int r, float mine) const {
    weights(r)[lane()] = mine;
    const float warp_maximum = warp_max(mine);
    if (lane() == 0) memory_.extremes[r][0][warp()] = warp_maximum;
  }
  __device__ int size() const { return kSize > 0 ? kSize : job_.size; }
  static __device__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
  static __device__ int warp() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ int first_key() const { return chunk_ * int{kChunk} + warp() * kKeys; }
  // Keys of this warp up to a position.
  __device__ int keys_of(int position) const {
    const int left = position + 1 - first_key();
    return left < 0 ? 0 : left < kKeys ? left : kKeys;
  }
  // Whether the row has keys in this chunk.
  __device__ bool has(int r) const { return memory_.position[r] >= chunk_ * int{kChunk}; }
  // This lane's column of a round; column 0 for lanes past the end.
  __device__ int own_column(int round) const {
    const int c = column_of<kCount>(round);
    return c < size() ? c : 0;
  }
  __device__ float* weights(int r) const {  // of this warp's keys
    return &memory_.weights[r][warp() * kKeys / 4].x;
  }
  __device__ void store(const Part& part, int r, float maximum,
                        const float (&mixed)[kWarps][kHead]) const {
    for (int c = threadIdx.x; c < size(); c += blockDim.x) {
      float sum = mixed[0][c];
      for (int w = 1; w < kWarps; ++w) sum += mixed[w][c];
      part.mixed[c] = sum;
    }
    if (threadIdx.x == 0) {
      float sum = memory_.extremes[r][1][0];
      for (int w = 1; w < kWarps; ++w) sum += memory_.extremes[r][1][w];
      part.extremes[0] = maximum;
      part.extremes[1] = sum;
    }
  }

  BlockMemory& memory_;
  const AttentionJob& job_;
  int begin_, end_, chunk_;
  int keys_ = 0;  // of the row that is furthest
  WarpPages<T> keys_at_, values_at_;
};

}  // namespace bifrons::cuda
