// Queries GPUs and drivers without starting anything on them.
#include "kernels/cuda/device.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <charconv>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/devices.h"

namespace bifrons {
namespace {

// Least compute capability: the kernels need bf16 on tensor cores.
constexpr int kLeastMajor = 8;

// Architectures for which the kernels of this build were compiled.
constexpr std::string_view kArchitectures = BIFRONS_CUDA_ARCHITECTURES;

std::string version_words(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string capability_words(int major, int minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

// Why the driver gave no devices.
std::string problem_of(cudaError_t status, int driver, int runtime) {
  if (driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver || driver / 1000 < runtime / 1000) {
    return "the NVIDIA driver is too old: it serves CUDA " + version_words(driver) +
           ", and this build needs " + version_words(runtime);
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) return "there is no NVIDIA GPU";
  return "the NVIDIA driver answers: " + std::string(cudaGetErrorString(status));
}

CudaDevice describe(int index) {
  CudaDevice device;
  device.index = index;
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
    cudaGetLastError();  // clears the error: another GPU may be queried next
    device.problem = "it does not answer";
    return device;
  }
  device.name = properties.name;
  device.capability = capability_words(properties.major, properties.minor);
  device.total_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  if (properties.major < kLeastMajor) {
    device.problem = "its compute capability is " + device.capability + ", and " +
                     capability_words(kLeastMajor, 0) + " or later is needed";
  } else if (!cuda::has_code_for(kArchitectures, properties.major, properties.minor)) {
    device.problem = "its compute capability is " + device.capability +
                     ", and this build has code for " + std::string(kArchitectures) + " alone";
  }
  return device;
}

}  // namespace

CudaStatus cuda_status() {
  CudaStatus status;
  status.built = true;
  int driver = 0, runtime = 0, count = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  status.toolkit = version_words(runtime);
  if (driver > 0) status.driver = version_words(driver);
  const cudaError_t result = cudaGetDeviceCount(&count);
  cudaGetLastError();  // clears the error
  if (result != cudaSuccess || count == 0) {
    status.problem = problem_of(result, driver, runtime);
    return status;
  }
  for (int i = 0; i < count; ++i) status.devices.push_back(describe(i));
  return status;
}

std::string_view cuda_library() { return cuda::CudnnConvolutions::name(); }

std::unique_ptr<Backend> make_cuda_backend(int device, bool low_priority, std::optional<bool> pdl) {
  return std::make_unique<cuda::CudaBackend>(device, low_priority, pdl);
}

namespace cuda {

bool has_code_for(std::string_view architectures, int major, int minor) {
  const int card = 10 * major + minor;
  while (!architectures.empty()) {
    const std::string_view each = architectures.substr(0, architectures.find(','));
    architectures.remove_prefix(std::min(architectures.size(), each.size() + 1));
    int number = 0;
    const auto [end, error] = std::from_chars(each.data(), each.data() + each.size(), number);
    if (error != std::errc()) return true;  // "native", "all": assumed to fit any GPU here
    const std::string_view rest = each.substr(static_cast<size_t>(end - each.data()));
    const bool one_card = rest.starts_with('a'), translated = !rest.ends_with("-real");
    if (number == card) return true;
    if (one_card || number > card) continue;
    if (translated || number / 10 == major) return true;
  }
  return false;
}

std::string open_device(int device) {
  const CudaStatus status = cuda_status();
  const auto refuse = [](const std::string& why) {
    throw Error(ErrorKind::kUnavailable, "cannot use the GPU: " + why);
  };
  if (!status.problem.empty()) refuse(status.problem);
  const int count = static_cast<int>(status.devices.size());
  if (device < 0 || device >= count) {
    refuse("there is no device cuda:" + std::to_string(device) +
           (count == 1 ? "; this machine has cuda:0"
                       : "; this machine has cuda:0 to cuda:" + std::to_string(count - 1)));
  }
  const CudaDevice& chosen = status.devices[device];
  if (!chosen.problem.empty()) refuse(chosen.name + ": " + chosen.problem);
  if (const cudaError_t result = cudaSetDevice(device); result != cudaSuccess) {
    cudaGetLastError();
    refuse(chosen.name + " answers: " + cudaGetErrorString(result));
  }
  return std::to_string(device) + ": " + chosen.name + ", " +
         std::to_string(chosen.total_bytes >> 20) + " MiB";
}

}  // namespace cuda
}  // namespace bifrons
