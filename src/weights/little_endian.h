// Reader for little-endian numbers of file formats, of any alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/bytes.h"
#include "kernels/error.h"

namespace bifrons {

// Reads numbers one after another from the front of `bytes`, which must outlive the reader. Reading
// more than left() breaks the contract: callers refuse short files first.
class LittleEndian {
 public:
  explicit LittleEndian(std::string_view bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }
  void skip(size_t count) { take(count); }
  uint32_t u16() { return static_cast<uint32_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }

 private:
  std::string_view take(size_t count) {
    check(count <= rest_.size(), "little endian: fewer bytes than asked for");
    const std::string_view front = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return front;
  }
  uint64_t number(size_t count) { return little_endian(take(count)); }

  std::string_view rest_;
};

}  // namespace bifrons
