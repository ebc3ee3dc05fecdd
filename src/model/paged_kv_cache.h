// Keys and values of many sequences side by side, and the rotation for each position.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace bifrons {

// Pages that so many positions take.
constexpr int64_t pages_for(int64_t positions) {
  return (positions + kPageTokens - 1) / kPageTokens;
}

// `sequences` sequences of up to `capacity` tokens in a pool of pages. A sequence is reused by
// writing from a position again: nothing behind the position of a row is ever read.
struct PagedKvCache {
  int64_t sequences = 0;
  int64_t capacity = 0;  // whole pages
  int64_t pages = 0;
  std::vector<Buffer> storage;  // one a layer: keys, then values
  std::vector<KvCache> cache;   // one a layer; all have one table
  Buffer table_storage;
  Buffer rope_storage;
  RopeTable rope;
};

// What is cached about a token in one layer.
struct CacheShape {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  DType dtype = DType::kBf16;
};

// The pool is dealt out by set_table(). Throws Error (unavailable).
// inverse_frequency: f32 [head_dim / 2] (src/model/rope.h).
PagedKvCache make_paged_kv_cache(Backend& b, const CacheShape& shape, int64_t sequences,
                                 int64_t capacity, int64_t pages,
                                 std::span<const float> inverse_frequency);

// Every sequence gets the pages named for it, in the order of its positions, at most capacity's.
void set_table(Backend& b, const PagedKvCache& memory,
               std::span<const std::vector<int32_t>> pages_of_sequences);

// Makes the pool one of `pages`; what the old ones hold stays. A layer at a time, so that only one
// of them is there twice. When there is no room (Error, unavailable) all is as useful as before.
void add_pages(Backend& b, PagedKvCache& memory, int64_t pages);

// Slots may hold `capacity` tokens; the table has to be set again. Errors as above.
void widen(Backend& b, PagedKvCache& memory, int64_t capacity,
           std::span<const float> inverse_frequency);

// The first `positions` of page `from` become those of page `to`: what a prompt leaves there
// depends on the ids up to each position alone, so a common beginning is the same bits.
void copy_page(Backend& b, const PagedKvCache& memory, int64_t to, int64_t from, int64_t positions);

}  // namespace bifrons
