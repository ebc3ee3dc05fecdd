// Records of accesses of global and shared memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/ptx/order.h"

namespace ptx {

// Global memory lies where the host allocated it; here are its limits and the records of accesses.
class GlobalMemory {
 public:
  struct Area {
    uint64_t begin = 0, end = 0;
    struct Page {
      Record records[512];
    };
    // By granule: of two bytes, and of one.
    std::vector<std::unique_ptr<Page>> pages[2];

    bool holds(uint64_t address, int bytes) const {
      return address >= begin && address + bytes <= end;
    }
    // The record of `granule` bytes, 1 or 2.
    Record& record(uint64_t address, int granule);
    // The same; null if there is none yet.
    const Record* existing(uint64_t address, int granule) const;
  };

  void add(const void* data, size_t bytes);
  void remove(const void* data);
  // The area that holds all these bytes; null if there is none.
  Area* find(uint64_t address, int bytes);
  // Changes when an area goes.
  int64_t generation() const { return generation_; }

 private:
  std::map<uint64_t, Area> areas_;
  int64_t generation_ = 0;
};

}  // namespace ptx
