// The paged KV cache: keys and values of many sequences in a pool of pages, the page table, and the
// RoPE table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace bifrons {

// Number of pages for `positions` positions.
constexpr int64_t pages_for(int64_t positions) {
  return (positions + kPageTokens - 1) / kPageTokens;
}

// `sequences` sequences of up to `capacity` tokens in a pool of pages. A sequence is reused by
// writing again from an earlier position: positions after that of a row are never read.
struct PagedKvCache {
  int64_t sequences = 0;
  int64_t capacity = 0;  // a multiple of kPageTokens
  int64_t pages = 0;
  DType activation = DType::kBf16;  // which rounds cos and sin
  std::vector<Buffer> storage;      // one per layer: keys, then values
  std::vector<KvCache> cache;       // one per layer; all share one page table
  Buffer table_storage;
  Buffer rope_storage;
  RopeTable rope;
};

// Shape of the cache: what is stored for a token.
struct CacheShape {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  DType activation = DType::kBf16;
  bool int8_kv = false;  // in 8 bits (KvCache) instead of the activation dtype

  DType dtype() const { return int8_kv ? kInt8Cache : activation; }
  int64_t columns() const { return head_dim + (int8_kv ? kScaleBytes : 0); }
  // Bytes of the keys and values of a page in all layers.
  int64_t page_bytes() const {
    return 2 * layers * kPageTokens * kv_heads * columns() * size_of(dtype());
  }
};

// Afterwards set_table() assigns the pages. Throws Error (unavailable). inverse_frequency: f32
// [head_dim / 2] (src/model/rope.h).
PagedKvCache make_paged_kv_cache(Backend& b, const CacheShape& shape, int64_t sequences,
                                 int64_t capacity, int64_t pages,
                                 std::span<const float> inverse_frequency);

// Sets the page table: every sequence gets the listed pages in the order of its positions, at most
// as many as the capacity has.
void set_table(Backend& b, const PagedKvCache& memory,
               std::span<const std::vector<int32_t>> pages_of_sequences);

// Grows the pool to `pages` and keeps its contents. It copies layer by layer, so that only one
// layer exists twice at a time. On Error (unavailable) the cache stays usable as before.
void add_pages(Backend& b, PagedKvCache& memory, int64_t pages);

// Grows the capacity of the sequences to `capacity` tokens; the page table has to be set again.
// Errors as above.
void widen(Backend& b, PagedKvCache& memory, int64_t capacity,
           std::span<const float> inverse_frequency);

// Copies the first `positions` positions of page `from` to page `to`. Keys and values depend only
// on the ids up to each position, so a common prefix has the same bits.
void copy_page(Backend& b, const PagedKvCache& memory, int64_t to, int64_t from, int64_t positions);

}  // namespace bifrons
