// Which failures end a run, and how that is said.
#include "kernels/cuda/status.h"

#include <string>

#include "kernels/error.h"

namespace bifrons::cuda {

void must(cudaError_t status, std::string_view doing) {
  if (status == cudaSuccess) return;
  const std::string name = cudaGetErrorName(status), words = cudaGetErrorString(status);
  throw Error(ErrorKind::kInterrupted, "the GPU failed while " + std::string(doing) + ": " + words +
                                           " (" + name + "); running again resumes");
}

}  // namespace bifrons::cuda
