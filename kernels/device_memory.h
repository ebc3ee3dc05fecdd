// Sizes of the GPU kernels' own buffers, for memory plans that are made without a GPU.
#pragma once

#include <cstdint>

namespace bifrons {

constexpr int64_t units_of(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

// Larger tables stay in host memory. That is the text embedding: only the rows of a prompt are
// read, once. The tables of image codes are smaller.
inline constexpr int64_t kLargestTableOnCard = 256 << 20;

// Split-K GEMM: up to four blocks compute the K slices of one output tile, and the last one adds
// their sums. That needs a workspace of rows x outputs x 4 floats, rounded up to tiles of at most
// 128 rows by 192 outputs. Above this limit (a part of L2) split-K is not used.
inline constexpr int64_t kLargestSplitK = 16 << 20;
constexpr int64_t gemm_workspace(int64_t rows, int64_t outputs) {
  const int64_t padded = units_of(outputs, 64) * 64 + 128;
  const int64_t parts =
      units_of(rows, 128) * 128 * padded * 4 * static_cast<int64_t>(sizeof(float));
  return parts < kLargestSplitK ? parts : kLargestSplitK;
}

// attention() processes positions in chunks of this many. For each head and chunk the scratch holds
// the weighted sum of values, the maximum and the sum of the softmax.
inline constexpr int64_t kAttentionChunk = 128;
constexpr int64_t attention_scratch(int64_t rows, int64_t heads, int64_t head_dim,
                                    int64_t capacity) {
  return rows * heads * units_of(capacity, kAttentionChunk) * (head_dim + 2) *
         static_cast<int64_t>(sizeof(float));
}

// sample() stores the probability mass of every code, and for each block of codes two candidates
// with their scores.
inline constexpr int64_t kSampleBlock = 2048;
constexpr int64_t sample_scratch(int64_t pictures, int64_t codes) {
  constexpr int64_t kShare = 2 * (sizeof(float) + sizeof(int32_t));
  return pictures *
         (codes * static_cast<int64_t>(sizeof(uint64_t)) + units_of(codes, kSampleBlock) * kShare);
}

// full_attention() in bf16 stores the scores of every head and the transposed values. Rows of both
// begin at multiples of eight elements.
constexpr int64_t full_attention_scratch(int64_t rows, int64_t channels, int64_t heads) {
  return units_of(rows, 8) * 8 * (rows * heads + channels) * 2;
}

}  // namespace bifrons
