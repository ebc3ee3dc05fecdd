// The page table of a paged KV cache (kernels/backend.h), for kernels.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace bifrons::cuda {

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
