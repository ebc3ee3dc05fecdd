// The pictures that lines have requested so far, as a 64-bit hash of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bifrons {

// A set of hashes in one table that is at most two thirds full: 12 to 24 bytes for each hash.
class SeenPictures {
 public:
  void add(uint64_t hash);
  bool contains(uint64_t hash) const;
  size_t size() const { return size_; }

 private:
  size_t place_of(uint64_t hash) const;  // the slot of the hash, or the free slot for it
  void grow();

  std::vector<uint64_t> table_;  // 0: free; its size is a power of two
  size_t size_ = 0;
};

}  // namespace bifrons
