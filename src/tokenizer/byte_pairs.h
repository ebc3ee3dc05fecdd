// Byte pair encoding: the byte-level BPE model of a tokenizer file.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bifrons {

class BytePairs {
 public:
  // Token id of each byte; -1 for a byte without a token, which is left out of every text.
  using ByteIds = std::array<int32_t, 256>;

  BytePairs() { byte_ids_.fill(-1); }
  explicit BytePairs(const ByteIds& byte_ids, size_t merges);

  // Adds the merge of `left` and `right` to `merged`; merges are added in order of rank. Returns
  // false if the pair already has one.
  bool add(int32_t left, int32_t right, int32_t merged);

  // Appends the ids of one piece. The merge of lowest rank is applied first; among equal ranks the
  // leftmost. Takes O(n log n) time in the bytes of the piece.
  void encode(std::string_view piece, std::vector<int32_t>& ids) const;

 private:
  struct Merge {
    int32_t rank;
    int32_t merged;
  };
  struct PairHash {
    size_t operator()(uint64_t pair) const {
      pair *= 0x9E3779B97F4A7C15;  // ids are small: spread them over the high bits
      return pair ^ pair >> 32;
    }
  };

  const Merge* find(int32_t left, int32_t right) const;

  ByteIds byte_ids_;
  std::unordered_map<uint64_t, Merge, PairHash> merges_;
};

}  // namespace bifrons
