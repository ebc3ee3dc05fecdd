// Numbers of file formats, least significant byte first, whatever their alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/bytes.h"
#include "kernels/error.h"

namespace bifrons {

// Reads one number after the other from the front of `bytes`, which must outlive it. Asking for
// more than left() breaks the contract: files of too few bytes are refused before.
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
