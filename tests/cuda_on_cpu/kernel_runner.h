// What runs kernels in place of the fibers: another test program may bring its own.
#pragma once

#include <cuda_runtime.h>

#include <functional>

namespace cuda_on_cpu {

class KernelRunner {
 public:
  virtual ~KernelRunner() = default;

  // `before`: work that the kernel waits for itself (PDL); null: it has been done.
  virtual void run(const KernelCall& call, const std::function<void()>* before) = 0;
  // Memory of the device, and pinned memory of the host.
  virtual void allocated(const void* data, size_t bytes) = 0;
  virtual void freed(const void* data) = 0;
  // Architecture of its code, as in cudaFuncAttributes.
  virtual int code() const = 0;
  virtual size_t static_shared(const void* kernel) const = 0;
};

// Null: the fibers. Set it before the first use of the device.
KernelRunner*& kernel_runner();

}  // namespace cuda_on_cpu
