// Areas of global memory and pages of their access records.
#include "tests/ptx/memory.h"

namespace ptx {
namespace {

constexpr size_t kRecords = 512;

size_t index_of(uint64_t address, uint64_t begin, int granule) {
  return (address - begin) / granule;
}

}  // namespace

Record& GlobalMemory::Area::record(uint64_t address, int granule) {
  auto& list = pages[granule == 1];
  if (list.empty()) list.resize((end - begin) / granule / kRecords + 1);
  const size_t index = index_of(address, begin, granule);
  auto& page = list[index / kRecords];
  if (!page) page = std::make_unique<Page>();
  return page->records[index % kRecords];
}

const Record* GlobalMemory::Area::existing(uint64_t address, int granule) const {
  const auto& list = pages[granule == 1];
  const size_t index = index_of(address, begin, granule);
  if (list.empty() || !list[index / kRecords]) return nullptr;
  return &list[index / kRecords]->records[index % kRecords];
}

void GlobalMemory::add(const void* data, size_t bytes) {
  const auto begin = reinterpret_cast<uint64_t>(data);
  Area& area = areas_[begin];
  area = {};
  area.begin = begin;
  area.end = begin + bytes;
}

void GlobalMemory::remove(const void* data) {
  areas_.erase(reinterpret_cast<uint64_t>(data));
  ++generation_;
}

GlobalMemory::Area* GlobalMemory::find(uint64_t address, int bytes) {
  auto after = areas_.upper_bound(address);
  if (after == areas_.begin()) return nullptr;
  Area& area = std::prev(after)->second;
  return area.holds(address, bytes) ? &area : nullptr;
}

}  // namespace ptx
