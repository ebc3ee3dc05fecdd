// NHWC convolutions. CMake picks the implementation: convolution_onednn.cpp or convolution_own.cpp.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/cpu/thread_pool.h"
#include "kernels/tensor.h"
#include "kernels/weights.h"

namespace bifrons::cpu {

// Prepares and runs convolutions. It owns their plans and scratch memory; both are made at the
// first run with an input size. A picture is cut into bands of rows, which depend only on its size,
// so results do not depend on the number of threads.
class Convolutions {
 public:
  Convolutions();
  ~Convolutions();
  Convolutions(const Convolutions&) = delete;
  Convolutions& operator=(const Convolutions&) = delete;

  // See Backend::make_convolution.
  Convolution make(const HostArray& weight, const HostArray& bias, int64_t kernel, Padding padding);

  // y = round(convolution), then + residual if it is not null. x, y and residual are contiguous.
  void run(ThreadPool& pool, const Tensor& y, const Tensor& x, const Convolution& weight,
           const Tensor* residual);

  // Name of the implementation, for reports.
  static std::string_view library();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons::cpu
