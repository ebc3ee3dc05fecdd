// CUDA's return codes as sentences.
#pragma once

#include <cuda_runtime.h>

#include <string_view>

namespace bifrons::cuda {

// Throws Error (interrupted) for a failure of the device while `doing`: everything on it is lost,
// but a run that resumes goes on.
void must(cudaError_t status, std::string_view doing);

}  // namespace bifrons::cuda
