// Turns CUDA return codes into exceptions.
#pragma once

#include <cuda_runtime.h>

#include <string_view>

namespace bifrons::cuda {

// Throws Error for a failure of the device while `doing`. Unavailable: too little memory, or no
// code for this GPU. Interrupted: anything else; all data on the device is lost, but running again
// resumes.
void must(cudaError_t status, std::string_view doing);

}  // namespace bifrons::cuda
