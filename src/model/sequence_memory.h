// Keys and values of many sequences side by side, and the rotation for each position.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace bifrons {

// `slots` sequences of up to `capacity` tokens. A slot is reused by writing from a position again:
// nothing behind the position of a row is ever read.
struct SequenceMemory {
  int64_t slots = 0;
  int64_t capacity = 0;
  std::vector<Buffer> storage;  // one a layer: keys, then values
  std::vector<KvCache> cache;   // one a layer
  Buffer rope_storage;
  RopeTable rope;
};

// What is remembered about a token in one layer.
struct CacheShape {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  DType dtype = DType::kBf16;
};

// inverse_frequency: f32 [head_dim / 2] (src/model/rope.h).
SequenceMemory make_sequence_memory(Backend& b, const CacheShape& shape, int64_t slots,
                                    int64_t capacity, std::span<const float> inverse_frequency);

// Makes room for `capacity` tokens in every slot and keeps the first used[slot] of each. A layer at
// a time, so that only one of them is there twice. When there is no room (Error, unavailable) the
// memory is as useful as before.
void grow(Backend& b, SequenceMemory& memory, int64_t capacity, std::span<const int64_t> used,
          std::span<const float> inverse_frequency);

// Positions [begin, end) of slot `to` become those of slot `from`: what a prompt leaves there
// depends on the ids up to each position alone, so a common beginning is the same bits.
void copy_positions(Backend& b, const SequenceMemory& memory, int64_t to, int64_t from,
                    int64_t begin, int64_t end);

}  // namespace bifrons
