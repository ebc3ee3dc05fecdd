// Asked by a mapping that is never touched: it costs address space alone.
#include "kernels/headroom.h"

#include <sys/mman.h>

#include <string>

#include "kernels/error.h"

namespace bifrons {

void require_memory(int64_t bytes) {
  const auto size = static_cast<size_t>(bytes);
  void* mapped = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    throw Error(ErrorKind::kUnavailable,
                "not enough memory: " + std::to_string(bytes) + " more bytes are needed");
  }
  munmap(mapped, size);
}

}  // namespace bifrons
