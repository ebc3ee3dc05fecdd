// What this build and machine offer beside the CPU. Asking starts nothing and never throws.
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
  std::string problem;  // why it cannot be used; empty when it can
};

struct CudaStatus {
  bool built = false;   // whether this build has the CUDA backend
  std::string toolkit;  // "13.0"
  std::string driver;   // newest CUDA version the driver serves; empty without a driver
  std::string problem;  // why there are no devices; empty when there are
  std::vector<CudaDevice> devices;
};

CudaStatus cuda_status();

// What this build convolves with on a GPU, "cuDNN 9.14"; empty: its own kernels, or no GPU at all.
std::string_view cuda_library();

}  // namespace bifrons
