// Causal attention over the paged KV cache, split along the positions (flash-decoding) into chunks
// of 128. A block has one head of up to eight rows and one or more chunks. The last block of a head
// to finish merges the partial results from left to right. Rows of one sequence (the window of
// speculative decoding, a prompt) share what is read of the cache.
#include <algorithm>

#include "kernels/cuda/attention_chunk.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

constexpr int kUsualSize = 128;  // head_dim of the published models
// Blocks that keep a large GPU busy: 132 multiprocessors with four blocks each, four times over.
constexpr int64_t kEnoughBlocks = 4 * 4 * 132;

// The rows of a block: `count` rows from `first` on, `stride` apart.
struct BlockRows {
  int64_t first;
  int stride, count;

  // Blocks for the rows of one run of `shared`.
  static __host__ __device__ int of_run(int shared) { return (shared + kRows - 1) / kRows; }
  __device__ static BlockRows of(const AttentionJob& job, int block) {
    const int blocks = of_run(job.shared), run = block / blocks, part = block % blocks;
    const int64_t first = int64_t{run / job.stride} * job.stride * job.shared + run % job.stride +
                          int64_t{part} * kRows * job.stride;
    const int most = job.shared - part * kRows;
    const int64_t inside = first < job.rows ? (job.rows - 1 - first) / job.stride + 1 : 0;
    const int count = most < kRows ? most : kRows;
    return {first, job.stride, inside < count ? static_cast<int>(inside) : count};
  }
  __device__ int64_t at(int row) const { return first + int64_t{row} * stride; }
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

// Reads the rows' positions and queries; idle rows get zeros.
template <typename T>
__device__ inline void enter(BlockMemory& memory, const AttentionJob& job, const BlockRows& rows,
                             T* y, const T* q, const int32_t* sequences, const int32_t* positions) {
  const int r = static_cast<int>(threadIdx.x);
  if (r < rows.count) {
    const int64_t m = rows.at(r);
    // An idle row has position -1. Nothing outside of the cache may be read.
    const bool live = job.pages.holds(sequences[m], positions[m]);
    memory.position[r] = live ? positions[m] : -1;
    memory.sequence[r] = sequences[m];
  }
  __syncthreads();
  for (int row = 0; row < rows.count; ++row) {
    const int64_t m = rows.at(row), head = int64_t{blockIdx.y} * job.size;
    const bool live = memory.position[row] >= 0;
    for (int c = threadIdx.x; c < job.size; c += blockDim.x) {
      if (live) {
        memory.query[row][c] = to_float(q[m * job.q_pitch + head + c]);
      } else if (blockIdx.x == 0) {
        y[m * job.y_pitch + head + c] = round_to<T>(0.0f);
      }
    }
  }
  __syncthreads();
}

// The partial results of this block are written. The last block of each row merges them.
template <typename T>
__device__ inline void leave(BlockMemory& memory, const AttentionJob& job, const BlockRows& rows,
                             T* y, float* area, int* counters) {
  const auto count = [&](int r) { return memory.position[r] / int{kChunk} + 1; };
  __threadfence();
  __syncthreads();
  const int mine = static_cast<int>(threadIdx.x);
  if (mine < rows.count) {
    bool last = false;
    if (memory.position[mine] >= 0 && static_cast<int>(blockIdx.x) < count(mine)) {
      const int blocks = count(mine) < static_cast<int>(gridDim.x) ? count(mine) : gridDim.x;
      int* const counter = counters + rows.at(mine) * job.heads + blockIdx.y;
      last = blocks == 1 || atomicAdd(counter, 1) == blocks - 1;
      if (last && blocks > 1) *counter = 0;
    }
    memory.last[mine] = last;
  }
  __syncthreads();
  __threadfence();
  for (int r = 0; r < rows.count; ++r) {
    if (!memory.last[r]) continue;
    const int64_t m = rows.at(r);
    merge(y + m * job.y_pitch + int64_t{blockIdx.y} * job.size, area,
          (m * job.heads + blockIdx.y) * job.chunks, count(r), job.size);
  }
}

// Block (chunks, head, rows): every gridDim.x-th chunk from blockIdx.x on. Cached: the element of
// the cache, T or Int8. kSize: elements of a head, or 0 if they are not known when this is
// compiled. kMany: see ChunkOfRows.
template <typename T, typename Cached, int kCount, int kSize, bool kMany>
__global__ void __launch_bounds__(kWarps* kWarp, kMany || std::is_same_v<T, float> ? 2 : 4)
    attention_kernel(T* y, const T* q, std::byte* k, std::byte* v, const int32_t* sequences,
                     const int32_t* positions, float* area, int* counters, AttentionJob job) {
  __shared__ BlockMemory memory;
  trigger_dependents();
  grid_dependency_wait();
  const BlockRows rows = BlockRows::of(job, static_cast<int>(blockIdx.z));
  enter(memory, job, rows, y, q, sequences, positions);
  // Part of row 0 and this head.
  float* const parts = area + (rows.first * job.heads + blockIdx.y) * job.chunks * (job.size + 2);
  int furthest = -1;
  for (int r = 0; r < rows.count; ++r) {
    furthest = memory.position[r] > furthest ? memory.position[r] : furthest;
  }
#pragma unroll 1
  for (int chunk = blockIdx.x; chunk * int{kChunk} <= furthest; chunk += gridDim.x) {
#pragma unroll 1
    for (int begin = 0; begin < rows.count;) {
      int end = begin + 1;
      while (kMany && end < rows.count && memory.sequence[end] == memory.sequence[begin]) ++end;
      const ChunkOfRows<Cached, kCount, kSize, kMany> part(memory, job, k, v, begin, end, chunk);
      part.score();
      __syncthreads();
      part.finish(parts, rows.stride);
      begin = end;
    }
    __syncthreads();  // the next chunk writes where this one reads
  }
  leave(memory, job, rows, y, area, counters);
}

void attention(Stream& s, const Tensor& y, const Tensor& q, const KvCache& cache,
               const TokenRows& rows) {
  if (q.rows() == 0) return;
  const int64_t size = cache.head_dim(), heads = q.cols() / size;
  check(size <= kHead, "attention: heads of more than 256 elements");
  check(q.rows() <= 65535 && heads <= 65535, "attention: at most 65535 rows and heads");
  const auto addresses =
      reinterpret_cast<uintptr_t>(cache.k.data) | reinterpret_cast<uintptr_t>(cache.v.data);
  const bool vectors = size % 4 == 0 && addresses % (4 * size_of(cache.k.dtype)) == 0;
  const bool usual = vectors && size == kUsualSize && q.dtype == DType::kBf16;
  const bool many = usual && rows.shared > 1;
  const auto bounded = [&](int64_t n) {
    return many ? static_cast<int>(std::clamp<int64_t>(n, 1, q.rows())) : 1;
  };
  const int shared = bounded(rows.shared), stride = bounded(rows.stride);
  const AttentionJob job{.pages = Pages::of(cache),
                         .heads = heads,
                         .size = static_cast<int>(size),
                         .group = static_cast<uint32_t>(heads / cache.kv_heads()),
                         .q_pitch = q.pitch,
                         .y_pitch = y.pitch,
                         .rows = q.rows(),
                         .stride = stride,
                         .shared = shared,
                         .chunks = static_cast<int>(ceil_div(cache.capacity(), kChunk)),
                         .scale = 1.0f / std::sqrt(static_cast<float>(size))};
  auto* area = reinterpret_cast<float*>(
      s.workspace.area(attention_scratch(q.rows(), heads, size, cache.capacity())));
  int* counters = s.workspace.counters(q.rows() * heads);
  const int64_t blocks =
      ceil_div(q.rows(), int64_t{stride} * shared) * stride * BlockRows::of_run(shared);
  // Few blocks: one for every chunk of a full cache, although some will be empty. Many: none is
  // empty, since each has several chunks.
  const int64_t slots = std::clamp<int64_t>(ceil_div(kEnoughBlocks, blocks * heads), 1, job.chunks);
  const Grid grid{dim3(static_cast<unsigned>(slots), static_cast<unsigned>(heads),
                       static_cast<unsigned>(blocks)),
                  dim3(kWarps * kWarp)};
  visit_activation(q.dtype, [&](auto element) {
    using T = decltype(element);
    const auto run = [&](auto kernel) {
      launch_pdl(s.handle, s.pdl, kernel, grid, y.as<T>(), q.as<T>(), cache.k.as<std::byte>(),
                 cache.v.as<std::byte>(), rows.sequence.as<int32_t>(), rows.position.as<int32_t>(),
                 area, counters, job);
    };
    const auto choose = [&]<typename Cached>(Cached) {
      if constexpr (std::is_same_v<T, Bf16>) {
        if (many) return run(attention_kernel<T, Cached, 4, kUsualSize, true>);
        if (usual) return run(attention_kernel<T, Cached, 4, kUsualSize, false>);
      }
      vectors ? run(attention_kernel<T, Cached, 4, 0, false>)
              : run(attention_kernel<T, Cached, 1, 0, false>);
    };
    cache.int8_kv() ? choose(Int8{}) : choose(T{});
  });
}

}  // namespace bifrons::cuda
