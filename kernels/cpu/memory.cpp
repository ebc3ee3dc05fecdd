// Host memory: anonymous mappings for big buffers, the heap for small ones.
#include "kernels/cpu/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace bifrons::cpu {
namespace {

constexpr int64_t kHugePage = 2 << 20;
constexpr int64_t kAlignment = 64;

[[noreturn]] void refuse(int64_t bytes) {
  throw Error(ErrorKind::kUnavailable,
              "not enough memory: " + std::to_string(bytes) + " more bytes are needed");
}

int64_t rounded_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

// Maps one huge page more than needed and unmaps the unaligned ends.
void* map_aligned(int64_t bytes) {
  const int64_t reserved = bytes + kHugePage;
  void* mapped =
      mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) refuse(bytes);
  const auto begin = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = rounded_up(static_cast<int64_t>(begin), kHugePage);
  if (aligned > begin) munmap(mapped, aligned - begin);
  void* data = reinterpret_cast<void*>(aligned);
  const uintptr_t end = aligned + bytes;
  if (begin + reserved > end) munmap(reinterpret_cast<void*>(end), begin + reserved - end);
  madvise(data, bytes, MADV_HUGEPAGE);  // advice only; the result does not matter
  return data;
}

void unmap(void*, void* data, int64_t bytes) { munmap(data, rounded_up(bytes, kHugePage)); }
void release(void*, void* data, int64_t) { std::free(data); }

}  // namespace

Buffer allocate_host(int64_t bytes) {
  check(bytes >= 0, "allocate: negative size");
  if (bytes > INT64_MAX - 2 * kHugePage) refuse(bytes);
  if (bytes >= kHugePage) {
    return Buffer(map_aligned(rounded_up(bytes, kHugePage)), bytes, MemorySpace::kHost, unmap,
                  nullptr);
  }
  const int64_t size = std::max(kAlignment, rounded_up(bytes, kAlignment));
  void* data = std::aligned_alloc(kAlignment, size);
  if (!data) refuse(bytes);
  std::memset(data, 0, size);
  return Buffer(data, bytes, MemorySpace::kHost, release, nullptr);
}

}  // namespace bifrons::cpu
