// From the name of a device to a backend.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace bifrons {

struct OpenDevice {
  std::unique_ptr<Backend> backend;
  std::string name;      // of this one alone: cpu, cpu:ISA or cuda:N
  std::string fallback;  // see Engine::fallback
};

// name: auto, cpu, cpu:ISA (one of cpu_instruction_sets), cuda or cuda:N. "auto" takes the first
// GPU that works, else the CPU. Throws Error (unavailable): no such device, or it cannot be used.
// low_priority: see make_cuda_backend.
OpenDevice open_device(const std::string& name, int threads, bool low_priority = false);

}  // namespace bifrons
