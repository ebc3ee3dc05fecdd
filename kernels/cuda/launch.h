// Launches kernels on a stream.
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

// Launches a kernel with programmatic dependent launch (PDL), if `pdl`: it may begin while the
// previous kernel in the stream still runs. It must call grid_dependency_wait() in every block
// before it touches anything but weights, also in blocks that do nothing else.
template <typename... Parameters, typename... Arguments>
void launch_pdl(cudaStream_t stream, bool pdl, void (*kernel)(Parameters...), const Grid& grid,
                const Arguments&... arguments) {
  allow_shared(kernel, grid.shared_bytes);
  // A multiprocessor changes its split between L1 and shared memory only when it is idle. Kernels
  // with different splits therefore never overlap, so all of them ask for the same one.
  must(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                            cudaSharedmemCarveoutMaxShared),
       "setting shared memory aside");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = pdl ? 1 : 0;
  // The call returns its own status. cudaGetLastError() would also return an earlier failure that
  // was ignored, for example of a destructor.
  must(cudaLaunchKernelEx(&config, kernel, arguments...), "starting a kernel");
}

// The same without PDL.
template <typename... Parameters, typename... Arguments>
void launch(cudaStream_t stream, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  launch_pdl(stream, false, kernel, grid, arguments...);
}

}  // namespace bifrons::cuda
