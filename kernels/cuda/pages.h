// The page table of a paged KV cache (kernels/backend.h), and the layout of its pages, for kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/backend.h"

namespace bifrons::cuda {

// A code of a KV cache in 8 bits.
struct Int8 {
  int8_t code;
};

// A key or value of element type T in `cache`, by its row (Pages::row()); in 8 bits its codes.
template <typename T>
__device__ inline T* element_at(std::byte* cache, int64_t row, int64_t size) {
  if constexpr (std::is_same_v<T, Int8>) {
    const int64_t page = row / kPageTokens, within = row % kPageTokens;
    return reinterpret_cast<T*>(cache + page * kPageTokens * (size + kScaleBytes) +
                                kPageTokens * kScaleBytes + within * size);
  } else {
    return reinterpret_cast<T*>(cache) + row * size;
  }
}
// The scale of a key or value in 8 bits.
__device__ inline float* scale_at(std::byte* cache, int64_t row, int64_t size) {
  const int64_t page = row / kPageTokens, within = row % kPageTokens;
  return reinterpret_cast<float*>(cache + page * kPageTokens * (size + kScaleBytes)) + within;
}
// The scales of a page, from its first code.
__device__ inline const float* scales_before(const Int8* first) {
  return reinterpret_cast<const float*>(first) - kPageTokens;
}

struct Pages {
  const int32_t* table;  // [sequences, columns]
  int64_t sequences, columns;
  int64_t kv_heads, pages;

  static Pages of(const KvCache& cache) {
    return {cache.table.as<int32_t>(), cache.sequences(), cache.table.cols(), cache.kv_heads(),
            cache.pages()};
  }
  __device__ bool holds(int64_t sequence, int64_t position) const {
    return position >= 0 && position < columns * kPageTokens && sequence >= 0 &&
           sequence < sequences;
  }
  // Row (of head_dim elements) of a position in the keys and in the values; holds() must be true.
  // -1 if the position has no page.
  __device__ int64_t row(int64_t sequence, int64_t kv_head, int64_t position) const {
    const int64_t page = table[sequence * columns + position / kPageTokens];
    if (page < 0 || page >= pages) return -1;
    return (kv_head * pages + page) * kPageTokens + position % kPageTokens;
  }
  // The same for a valid sequence and any position; positions past the capacity give the last page.
  __device__ int64_t row_near(int64_t sequence, int64_t kv_head, int64_t position) const {
    const int64_t end = columns * kPageTokens;
    return row(sequence, kv_head, position < end ? position : end - kPageTokens);
  }
};

}  // namespace bifrons::cuda
