// Memory on the card: buffers, and the scratch areas of kernels.
#pragma once

#include <cuda_runtime.h>

#include <vector>

#include "kernels/buffer.h"

namespace bifrons::cuda {

// Zero-filled memory on the current card. Throws Error (unavailable) naming needed and free bytes.
Buffer allocate_device(int64_t bytes);

// Memory of the host that kernels use over the bus, at the host's addresses: for tables of which a
// few rows are read, and for what the host reads while kernels run. Contents undefined.
Buffer allocate_mapped(int64_t bytes);

// Scratch memory of the kernels of one stream. Areas that were handed out stay valid for ever,
// because a recording may hold them; two calls may get the same area, as one stream runs one kernel
// at a time.
class Workspace {
 public:
  // At least `bytes`, contents undefined.
  std::byte* area(int64_t bytes);
  // At least n counters at zero; a kernel leaves them at zero.
  int* counters(int64_t n);

 private:
  std::vector<Buffer> areas_;
  std::vector<Buffer> counters_;
};

}  // namespace bifrons::cuda
