// The wall before a library's convolutions. CMake picks what is behind it: convolution_cudnn.cpp or
// convolution_cudnn_stub.cpp.
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

  // Whether it may run convolutions with such a weight: then `storage` holds, behind the order of
  // weight_order.h, the weight as [out][kh][kw][in] and the bias, both bf16 (cudnn_offset).
  static bool takes(const HostArray& weight, const HostArray& bias, int64_t kernel,
                    Padding padding);

  // y = convolution + bias + residual, all bf16, rounded once. False when a map begins between
  // vectors, or the library has no way to compute this shape, now and ever after; then nothing was
  // done.
  bool run(Stream& s, const Tensor& y, const Tensor& x, const Convolution& weight,
           const Tensor* residual);

  // "cuDNN 9.14" or nothing.
  static std::string_view name();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Where the library's part of a convolution's storage begins, in bytes.
int64_t cudnn_offset(const Convolution& weight);

}  // namespace bifrons::cuda
