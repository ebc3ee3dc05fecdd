// What the kernels of a GPU take beside tensors, for plans that are made before there is a GPU.
#pragma once

#include <cstdint>

namespace bifrons {

constexpr int64_t units_of(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

// Larger tables stay in the host's memory: the text embedding, of which a prompt's rows are read
// once. The codes' tables are smaller.
inline constexpr int64_t kLargestTableOnCard = 256 << 20;

// A product of many rows may have four blocks for every tile of its results; each leaves its sums
// for the last one to add up. Tiles are of 128 rows and outputs at most, and a product of which all
// that would be more than this, a part of L2, is not shared out.
inline constexpr int64_t kLargestSplitK = 16 << 20;
constexpr int64_t gemm_workspace(int64_t rows, int64_t outputs) {
  const int64_t tiles = units_of(rows, 128) * units_of(outputs, 128);
  const int64_t parts = tiles * 128 * 128 * 4 * static_cast<int64_t>(sizeof(float));
  return parts < kLargestSplitK ? parts : kLargestSplitK;
}

// attention() takes positions in chunks of this many. For each it keeps a head's mixed values,
// their maximum and their sum.
inline constexpr int64_t kAttentionChunk = 128;
constexpr int64_t attention_scratch(int64_t rows, int64_t heads, int64_t head_dim,
                                    int64_t capacity) {
  return rows * heads * units_of(capacity, kAttentionChunk) * (head_dim + 2) *
         static_cast<int64_t>(sizeof(float));
}

// sample() keeps what every code weighs, and for each block of codes two of them with their scores.
inline constexpr int64_t kSampleBlock = 2048;
constexpr int64_t sample_scratch(int64_t pictures, int64_t codes) {
  constexpr int64_t kShare = 2 * (sizeof(float) + sizeof(int32_t));
  return pictures *
         (codes * static_cast<int64_t>(sizeof(uint64_t)) + units_of(codes, kSampleBlock) * kShare);
}

// full_attention() in bf16 keeps the scores of every head and the values turned; rows of either
// begin at multiples of eight.
constexpr int64_t full_attention_scratch(int64_t rows, int64_t channels, int64_t heads) {
  return units_of(rows, 8) * 8 * (rows * heads + channels) * 2;
}

}  // namespace bifrons
