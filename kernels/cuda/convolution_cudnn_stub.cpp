// Stub for builds without cuDNN: every convolution uses our own kernels.
#include "kernels/cuda/convolution_cudnn.h"

namespace bifrons::cuda {

struct CudnnConvolutions::State {};

CudnnConvolutions::CudnnConvolutions() = default;
CudnnConvolutions::~CudnnConvolutions() = default;

bool CudnnConvolutions::takes(const HostArray&, const HostArray&, int64_t, Padding) {
  return false;
}

bool CudnnConvolutions::run(Stream&, const Tensor&, const Tensor&, const Convolution&,
                            const Tensor*) {
  return false;
}

std::string_view CudnnConvolutions::name() { return {}; }

}  // namespace bifrons::cuda
