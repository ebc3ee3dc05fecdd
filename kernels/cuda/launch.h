// Starting a kernel on a stream. Tests replace this file by one that runs it on the host.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/status.h"

namespace bifrons::cuda {

struct Grid {
  dim3 blocks;
  dim3 threads;
  int64_t shared_bytes = 0;  // dynamic; at most 48 KiB
};

template <typename... Parameters, typename... Arguments>
void launch(cudaStream_t stream, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  kernel<<<grid.blocks, grid.threads, grid.shared_bytes, stream>>>(arguments...);
  must(cudaGetLastError(), "starting a kernel");
}

}  // namespace bifrons::cuda
