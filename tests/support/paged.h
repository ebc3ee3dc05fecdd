// Converts the oracle's cache [sequences, kv_heads, capacity, size] to the pages of a KvCache, in
// the activation dtype or in 8 bits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/reference/reference.h"

namespace bifrons::testing {

// The bytes of pages in 8 bits. pages: keys or values of whole pages, [pages, kPageTokens, size]. A
// position that begins with NaN has `unused` as its bytes: NaN is poison; 255 makes its scale NaN,
// so that one who reads it notices.
inline reference::Values int8_pages(const reference::Values& pages, int64_t size, double unused) {
  reference::Values bytes;
  const int64_t count = static_cast<int64_t>(pages.size()) / size / kPageTokens;
  for (int64_t page = 0; page < count; ++page) {
    reference::Values scales, codes;
    for (int64_t within = 0; within < kPageTokens; ++within) {
      const auto first = pages.begin() + (page * kPageTokens + within) * size;
      if (std::isnan(*first)) {
        scales.insert(scales.end(), kScaleBytes, unused);
        codes.insert(codes.end(), size, unused);
        continue;
      }
      const reference::Int8Head head = reference::to_int8({first, first + size});
      const auto bits = std::bit_cast<uint32_t>(static_cast<float>(head.scale));
      for (int shift = 0; shift < 32; shift += 8) scales.push_back((bits >> shift) & 0xffu);
      for (double code : head.codes) codes.push_back(code < 0 ? code + 256 : code + 0.0);  // no -0
    }
    bytes.insert(bytes.end(), scales.begin(), scales.end());
    bytes.insert(bytes.end(), codes.begin(), codes.end());
  }
  return bytes;
}

// A page table for all sequences: pages are in random order, and no sequence uses the first page.
class Paging {
 public:
  explicit Paging(const reference::Heads& heads)
      : heads_(heads), of_sequence_((heads.capacity + kPageTokens - 1) / kPageTokens) {}

  int64_t pages() const { return heads_.sequences * of_sequence_ + 1; }
  std::vector<int64_t> shape(bool int8 = false) const {
    return {heads_.kv_heads, pages(), kPageTokens, heads_.size + (int8 ? kScaleBytes : 0)};
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

  // The same in 8 bits; `unused` as for int8_pages().
  reference::Values paged_int8(const reference::Values& flat, double unused) const {
    return int8_pages(paged(flat), heads_.size, unused);
  }

 private:
  int64_t page(int64_t sequence, int64_t i) const {
    return pages() - 1 - i * heads_.sequences - sequence;
  }

  reference::Heads heads_;
  int64_t of_sequence_;
};

}  // namespace bifrons::testing
