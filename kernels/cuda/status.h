// CUDA's return codes as sentences.
#pragma once

#include <cuda_runtime.h>

#include <string_view>

namespace bifrons::cuda {

// Throws Error for a failure of the device while `doing`. Unavailable: too little memory, or code for
// other cards only. Interrupted: anything else; all that is on the device is lost, but a run that
// resumes goes on.
void must(cudaError_t status, std::string_view doing);

}  // namespace bifrons::cuda
