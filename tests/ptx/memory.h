// Access records of global and shared memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/ptx/order.h"

namespace ptx {

// Limits and access records of global memory. The data itself stays where the host allocated it.
class GlobalMemory {
 public:
  struct Area {
    uint64_t begin = 0, end = 0;
    struct Page {
      Record records[512];
    };
    // Records of 2-byte granules and of 1-byte granules.
    std::vector<std::unique_ptr<Page>> pages[2];

    bool holds(uint64_t address, int bytes) const {
      return address >= begin && address + bytes <= end;
    }
    // The record of a granule; `granule` is 1 or 2 bytes.
    Record& record(uint64_t address, int granule);
    // The same record; null if it does not exist yet.
    const Record* existing(uint64_t address, int granule) const;
  };

  void add(const void* data, size_t bytes);
  void remove(const void* data);
  // The area that contains all these bytes; null if there is none.
  Area* find(uint64_t address, int bytes);
  // Changes whenever an area is removed.
  int64_t generation() const { return generation_; }

 private:
  std::map<uint64_t, Area> areas_;
  int64_t generation_ = 0;
};

}  // namespace ptx
