// Opens a backend by the name of a device.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/devices.h"
#include "src/bifrons.h"

namespace bifrons {

struct OpenDevice {
  std::unique_ptr<Backend> backend;
  std::string name;      // exact name: cpu, cpu:ISA or cuda:N
  std::string fallback;  // see Engine::fallback
};

// name: auto, cpu, cpu:ISA (one of cpu_instruction_sets), cuda or cuda:N. "auto" takes the first
// GPU that works, otherwise the CPU. Throws Error (unavailable): there is no such device, or it
// cannot be used. low_priority and pdl: see make_cuda_backend.
OpenDevice open_device(const std::string& name, int threads, bool low_priority = false,
                       std::optional<bool> pdl = {});

// Opens the GPU with this index. Throws Error (unavailable).
using OpenGpu = std::function<std::unique_ptr<Backend>(int index)>;

// The first GPU of `status` that opens, otherwise the CPU, with the first reason. As "auto".
OpenDevice open_first(const CudaStatus& status, const OpenGpu& open, int threads);

// The GPUs of `status`, described in words, or why there are none.
std::vector<DeviceInfo> describe_gpus(const CudaStatus& status, std::optional<bool> pdl = {});

}  // namespace bifrons
