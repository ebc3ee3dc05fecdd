// What the kernels of a GPU take beside tensors, for plans that are made before there is a GPU.
#pragma once

#include <cstdint>

namespace bifrons {

// Larger tables stay in the host's memory: the text embedding, of which a prompt's rows are read
// once. The codes' tables are smaller.
inline constexpr int64_t kLargestTableOnCard = 256 << 20;

// attention() takes positions in chunks of this many. For each it keeps a head's mixed values, their
// maximum and their sum, in f32.
inline constexpr int64_t kAttentionChunk = 128;
constexpr int64_t attention_scratch(int64_t rows, int64_t heads, int64_t head_dim,
                                    int64_t capacity) {
  const int64_t chunks = (capacity + kAttentionChunk - 1) / kAttentionChunk;
  return rows * heads * chunks * (head_dim + 2) * 4;
}

// sample() keeps what every code weighs.
constexpr int64_t sample_scratch(int64_t pictures, int64_t codes) { return pictures * codes * 8; }

}  // namespace bifrons
