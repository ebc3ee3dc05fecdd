// Open addressing with linear probing.
#include "src/batch/seen_pictures.h"

namespace bifrons {
namespace {

constexpr size_t kFirstSize = 64;

// 0 means free, so the hash 0 is replaced by another one.
uint64_t stored(uint64_t hash) { return hash == 0 ? 1 : hash; }

}  // namespace

size_t SeenPictures::place_of(uint64_t hash) const {
  const size_t mask = table_.size() - 1;
  // The low bits of a product depend only on low bits, the high bits on all bits.
  size_t at = static_cast<size_t>((hash * 0x9e3779b97f4a7c15ull) >> 32) & mask;
  while (table_[at] != 0 && table_[at] != hash) at = (at + 1) & mask;
  return at;
}

bool SeenPictures::contains(uint64_t hash) const {
  return size_ > 0 && table_[place_of(stored(hash))] != 0;
}

void SeenPictures::add(uint64_t hash) {
  if (size_ * 3 >= table_.size() * 2) grow();
  uint64_t& place = table_[place_of(stored(hash))];
  size_ += place == 0;
  place = stored(hash);
}

void SeenPictures::grow() {
  std::vector<uint64_t> old(table_.empty() ? kFirstSize : table_.size() * 2);
  old.swap(table_);
  for (const uint64_t hash : old) {
    if (hash != 0) table_[place_of(hash)] = hash;
  }
}

}  // namespace bifrons
