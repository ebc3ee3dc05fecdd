// Interface to cuDNN convolutions, which keeps cudnn.h out of other files. CMake picks the
// implementation: convolution_cudnn.cpp or convolution_cudnn_stub.cpp.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

class CudnnConvolutions {
 public:
  CudnnConvolutions();
  ~CudnnConvolutions();
  CudnnConvolutions(const CudnnConvolutions&) = delete;
  CudnnConvolutions& operator=(const CudnnConvolutions&) = delete;

  // Whether run() accepts convolutions with such a weight. If so, `storage` holds, after the
  // weights in the layout of weight_order.h, the weight as [out][kh][kw][in] and the bias, both
  // bf16 (cudnn_offset).
  static bool takes(const HostArray& weight, const HostArray& bias, int64_t kernel,
                    Padding padding);

  // y = convolution + bias + residual, all bf16, rounded once, of one or several pictures. Returns
  // false and does nothing if a map is not aligned to vectors, or if cuDNN does not support this
  // shape (then also in all later calls).
  bool run(Stream& s, const Tensor& y, const Tensor& x, const Convolution& weight,
           const Tensor* residual);

  // "cuDNN 9.14", or empty without cuDNN.
  static std::string_view name();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Offset of cuDNN's part in a convolution's storage, in bytes.
int64_t cudnn_offset(const Convolution& weight);

}  // namespace bifrons::cuda
