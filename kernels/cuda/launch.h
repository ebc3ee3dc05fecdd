// Launches kernels on a stream. Tests replace this file by one that runs them on the host.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/status.h"

namespace bifrons::cuda {

struct Grid {
  dim3 blocks;
  dim3 threads;
  int64_t shared_bytes = 0;  // dynamic shared memory
};

// More than 48 KiB of shared memory per block (static + dynamic) needs an opt-in. We opt in above
// this much dynamic memory; kernels below it use at most the rest (32 KiB) as static memory.
constexpr int64_t kUnaskedShared = 16 << 10;

// Opts in for all shared memory of the GPU. The limit belongs to the kernel, not to the launch: it
// must not fall while a graph holds a launch with more, or while another thread is about to launch
// one.
template <typename Kernel>
void allow_shared(Kernel kernel, int64_t bytes) {
  if (bytes <= kUnaskedShared) return;
  constexpr const char* kDoing = "setting shared memory aside";
  int device = 0, most = 0;
  cudaFuncAttributes declared{};
  must(cudaGetDevice(&device), kDoing);
  must(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), kDoing);
  must(cudaFuncGetAttributes(&declared, kernel), kDoing);
  must(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                            most - static_cast<int>(declared.sharedSizeBytes)),
       kDoing);
}

template <typename... Parameters, typename... Arguments>
void launch(cudaStream_t stream, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  allow_shared(kernel, grid.shared_bytes);
  kernel<<<grid.blocks, grid.threads, grid.shared_bytes, stream>>>(arguments...);
  must(cudaGetLastError(), "starting a kernel");
}

// The same with programmatic dependent launch (PDL), if `pdl`: the kernel may begin while the
// previous kernel in the stream still runs. It must call grid_dependency_wait() in every block
// before it touches anything but weights, also in blocks that do nothing else.
template <typename... Parameters, typename... Arguments>
void launch_pdl(cudaStream_t stream, bool pdl, void (*kernel)(Parameters...), const Grid& grid,
                const Arguments&... arguments) {
  if (!pdl) return launch(stream, kernel, grid, arguments...);
  allow_shared(kernel, grid.shared_bytes);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  must(cudaLaunchKernelEx(&config, kernel, arguments...), "starting a kernel");
}

}  // namespace bifrons::cuda
