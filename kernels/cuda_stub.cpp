// Stub for builds without the CUDA backend.
#include "kernels/backend.h"
#include "kernels/devices.h"
#include "kernels/read_bandwidth.h"

namespace bifrons {

CudaStatus cuda_status() {
  CudaStatus status;
  status.problem = "this build has no CUDA backend";
  return status;
}

std::string_view cuda_library() { return {}; }

std::unique_ptr<Backend> make_cuda_backend(int, bool, std::optional<bool>) {
  throw Error(ErrorKind::kUnavailable,
              "cannot use the GPU: this build has no CUDA backend (build with BIFRONS_CUDA=ON)");
}

std::unique_ptr<ReadBandwidth> make_cuda_read_bandwidth(Backend&, int64_t) {
  throw Error(ErrorKind::kUnavailable, "cannot measure a GPU: this build has no CUDA backend");
}

}  // namespace bifrons
