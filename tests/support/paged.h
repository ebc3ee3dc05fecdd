// Converts the oracle's cache [sequences, kv_heads, capacity, size] to the pages of a KvCache.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/reference/reference.h"

namespace bifrons::testing {

// A page table for all sequences: pages are in random order, and no sequence uses the first page.
class Paging {
 public:
  explicit Paging(const reference::Heads& heads)
      : heads_(heads), of_sequence_((heads.capacity + kPageTokens - 1) / kPageTokens) {}

  int64_t pages() const { return heads_.sequences * of_sequence_ + 1; }
  std::vector<int64_t> shape() const {
    return {heads_.kv_heads, pages(), kPageTokens, heads_.size};
  }
  std::vector<int64_t> table_shape() const { return {heads_.sequences, of_sequence_}; }
  // The page table. -1 for positions after a sequence's entry of `last`; if that entry is -1, the
  // sequence has no positions.
  reference::Values table(const reference::Values& last) const {
    reference::Values table;
    for (int64_t sequence = 0; sequence < heads_.sequences; ++sequence) {
      for (int64_t i = 0; i < of_sequence_; ++i) {
        const bool reached = static_cast<double>(i * kPageTokens) <= last[sequence];
        table.push_back(reached ? static_cast<double>(page(sequence, i)) : -1.0);
      }
    }
    return table;
  }
  // The pages. Unused positions are NaN, the poison of tests/support/guarded_tensor.h.
  reference::Values paged(const reference::Values& flat) const {
    reference::Values all(pages() * heads_.kv_heads * kPageTokens * heads_.size, NAN);
    for (size_t i = 0; i < flat.size(); ++i) {
      const int64_t c = static_cast<int64_t>(i) % heads_.size;
      const int64_t position = static_cast<int64_t>(i) / heads_.size % heads_.capacity;
      const int64_t row = static_cast<int64_t>(i) / heads_.size / heads_.capacity;
      const int64_t at =
          row % heads_.kv_heads * pages() + page(row / heads_.kv_heads, position / kPageTokens);
      all[(at * kPageTokens + position % kPageTokens) * heads_.size + c] = flat[i];
    }
    return all;
  }

 private:
  int64_t page(int64_t sequence, int64_t i) const {
    return pages() - 1 - i * heads_.sequences - sequence;
  }

  reference::Heads heads_;
  int64_t of_sequence_;
};

}  // namespace bifrons::testing
