// Memory that is there before a library is called.
#pragma once

#include <cstdint>

namespace bifrons {

// For work that goes to a library which crashes, or blames its input, where memory ends inside of
// it: throws Error (unavailable) unless `bytes` of address space are free right now.
void require_memory(int64_t bytes);

}  // namespace bifrons
