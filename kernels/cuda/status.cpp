// Turns CUDA errors into Error.
#include "kernels/cuda/status.h"

#include <string>

#include "kernels/cuda/device.h"
#include "kernels/error.h"

namespace bifrons::cuda {

void must(cudaError_t status, std::string_view doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears the error, so that a caller that catches the exception can continue
  const std::string while_doing = " while " + std::string(doing);
  if (status == cudaErrorMemoryAllocation) {
    throw Error(ErrorKind::kUnavailable, "not enough memory on the GPU" + while_doing);
  }
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidKernelImage ||
      status == cudaErrorInvalidDeviceFunction || status == cudaErrorUnsupportedPtxVersion ||
      status == cudaErrorInvalidPtx || status == cudaErrorJitCompilerNotFound) {
    throw Error(ErrorKind::kUnavailable,
                "this build has no code for this GPU" + while_doing +
                    "; configure the build with -DCMAKE_CUDA_ARCHITECTURES=native, or update the "
                    "driver");
  }
  if (status == cudaErrorDevicesUnavailable) {
    throw Error(ErrorKind::kUnavailable,
                "cannot use the GPU" + while_doing + ": " + in_exclusive_use());
  }
  throw Error(ErrorKind::kInterrupted, "the GPU failed" + while_doing + ": " +
                                           cudaGetErrorString(status) + " (" +
                                           cudaGetErrorName(status) + "); running again resumes");
}

}  // namespace bifrons::cuda
