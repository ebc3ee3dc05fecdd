// GPUs that this build and machine offer beside the CPU. These functions start nothing and never
// throw.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

struct CudaDevice {
  int index = 0;
  std::string name;
  std::string capability;  // "9.0"
  int64_t total_bytes = 0;
  // The code that it runs, in words: "machine code for 9.0", or "PTX of 8.0, compiled by the driver
  // at the first start". Empty if the build has none for it.
  std::string code;
  bool pdl = false;     // whether this code allows programmatic dependent launch
  std::string problem;  // why it cannot be used, and what to do; empty when it can
};

struct CudaStatus {
  bool built = false;          // whether this build has the CUDA backend
  std::string toolkit;         // "13.0"
  std::string driver;          // newest CUDA version that the driver supports; empty without one
  std::string driver_release;  // "580.65.06"; empty if it is unknown
  std::string problem;         // why there are no devices; empty when there are
  std::vector<CudaDevice> devices;
};

CudaStatus cuda_status();

// Name and version of the library that computes convolutions on a GPU, e.g. "cuDNN 9.14". Empty if
// the project's own kernels do, or in a build without CUDA.
std::string_view cuda_library();

}  // namespace bifrons
