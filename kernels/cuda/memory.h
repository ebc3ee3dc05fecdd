// GPU memory: buffers, and the workspace of kernels.
#pragma once

#include <cuda_runtime.h>

#include <vector>

#include "kernels/buffer.h"

namespace bifrons::cuda {

// Zero-filled memory on the current GPU. Throws Error (unavailable) with needed and free bytes.
Buffer allocate_device(int64_t bytes);

// Pinned host memory that kernels access over the bus at the host's addresses: for tables of which
// only a few rows are read, and for data that the host reads while kernels run. Contents undefined.
// It is freed after the work of `stream`, which must outlive it.
Buffer allocate_mapped(int64_t bytes, cudaStream_t stream);

// Scratch memory for the kernels of one stream. An area stays valid for ever, because a captured
// step (CUDA graph) may hold it. Two calls may return the same area, because one stream runs one
// kernel at a time.
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
