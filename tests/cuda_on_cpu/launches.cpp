// Kernels of the simulated runtime: their attributes, and launches of them.
#include <algorithm>
#include <map>
#include <utility>

#include "tests/cuda_on_cpu/fibers.h"
#include "tests/cuda_on_cpu/kernel_runner.h"
#include "tests/cuda_on_cpu/runtime.h"

namespace cuda_on_cpu {
namespace {

struct FunctionState {
  int dynamic_shared = 0;  // 0: not set
  int carveout = -1;       // -1: the driver's choice
};

FunctionState& state_of(const void* kernel) {
  static std::map<const void*, FunctionState> all;
  return all[kernel];
}

int64_t& uncarved_count() {
  static int64_t count = 0;
  return count;
}

size_t static_shared_of(const void* kernel) {
  return kernel_runner() ? kernel_runner()->static_shared(kernel) : 0;
}

void run_call(const KernelCall& call, const std::function<void()>* before) {
  if (kernel_runner()) return kernel_runner()->run(call, before);
  if (before) {
    run_grid_pdl(call.blocks, call.threads, call.shared_bytes, call.on_host, *before);
  } else {
    run_grid(call.blocks, call.threads, call.shared_bytes, call.on_host);
  }
}

}  // namespace

KernelRunner*& kernel_runner() {
  static KernelRunner* runner = nullptr;
  return runner;
}

int64_t launches_without_carveout() { return uncarved_count(); }

cudaError_t launch(const cudaLaunchConfig_t& config, KernelCall call) {
  constexpr int64_t kUnasked = 48 << 10;
  const FunctionState& state = state_of(call.kernel);
  call.blocks = config.gridDim;
  call.threads = config.blockDim;
  call.shared_bytes = static_cast<int64_t>(config.dynamicSmemBytes);
  call.asked_shared = state.dynamic_shared;
  const int64_t room = state.dynamic_shared > 0
                           ? state.dynamic_shared
                           : kUnasked - static_cast<int64_t>(static_shared_of(call.kernel));
  if (call.shared_bytes > room) return cudaErrorInvalidValue;
  if (state.carveout < 0) ++uncarved_count();
  bool pdl = false;
  for (unsigned a = 0; a < config.numAttrs; ++a) {
    pdl = pdl || config.attrs[a].val.programmaticStreamSerializationAllowed != 0;
  }
  if (pdl) {
    submit_pdl_kernel(config.stream, [call = std::move(call)](const std::function<void()>& before) {
      run_call(call, &before);
    });
  } else {
    submit_kernel(config.stream, [call = std::move(call)] { run_call(call, nullptr); });
  }
  return cudaSuccess;
}

cudaError_t function_attributes(cudaFuncAttributes* attributes, const void* kernel) {
  attributes->ptxVersion =
      kernel_runner() ? std::min(kernel_runner()->code(), machine().code) : machine().code;
  attributes->sharedSizeBytes = static_shared_of(kernel);
  return said(machine().code > 0 ? cudaSuccess : cudaErrorNoKernelImageForDevice);
}
cudaError_t set_function_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  FunctionState& state = state_of(kernel);
  if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) {
    if (value < -1 || value > 100) return said(cudaErrorInvalidValue);
    state.carveout = value;
    return cudaSuccess;
  }
  const int room = machine().shared_memory - static_cast<int>(static_shared_of(kernel));
  if (value < 0 || value > room) return said(cudaErrorInvalidValue);
  state.dynamic_shared = value;
  return cudaSuccess;
}

}  // namespace cuda_on_cpu
