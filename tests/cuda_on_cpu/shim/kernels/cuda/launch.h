// Launches a kernel: now, or when the captured graph runs.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/status.h"
#include "tests/cuda_on_cpu/fibers.h"

namespace bifrons::cuda {

struct Grid {
  dim3 blocks;
  dim3 threads;
  int64_t shared_bytes = 0;
};

template <typename... Parameters, typename... Arguments>
void launch(cudaStream_t stream, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  cuda_on_cpu::submit_kernel(stream, [kernel, grid, arguments...] {
    cuda_on_cpu::run_grid(grid.blocks, grid.threads, grid.shared_bytes,
                          [&] { kernel(arguments...); });
  });
  must(cudaGetLastError(), "starting a kernel");
}

template <typename... Parameters, typename... Arguments>
void launch_pdl(cudaStream_t stream, bool pdl, void (*kernel)(Parameters...), const Grid& grid,
                const Arguments&... arguments) {
  if (!pdl) return launch(stream, kernel, grid, arguments...);
  cuda_on_cpu::submit_pdl_kernel(
      stream, [kernel, grid, arguments...](const std::function<void()>& before) {
        cuda_on_cpu::run_grid_pdl(
            grid.blocks, grid.threads, grid.shared_bytes, [&] { kernel(arguments...); }, before);
      });
}

}  // namespace bifrons::cuda
