// Parts of the simulated runtime use these.
#pragma once

#include <cuda_runtime.h>

namespace cuda_on_cpu {

// Keeps an error for cudaGetLastError(), as the real runtime does.
cudaError_t said(cudaError_t status);

}  // namespace cuda_on_cpu
