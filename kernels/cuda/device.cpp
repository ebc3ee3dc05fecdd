// Queries GPUs and drivers without starting anything on them.
#include "kernels/cuda/device.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <charconv>
#include <fstream>

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

// Oldest Linux driver for all versions of a major CUDA version.
std::string_view least_release(int runtime) { return runtime >= 13000 ? "580.65" : "525.60"; }

// Why the driver gave no devices.
std::string problem_of(cudaError_t status, int driver, int runtime) {
  if (driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver || driver / 1000 < runtime / 1000) {
    return "the NVIDIA driver is too old: it serves CUDA " + version_words(driver) +
           ", and this build needs " + version_words(runtime) + "; install driver " +
           std::string(least_release(runtime)) + " or later, or build with a CUDA toolkit " +
           std::to_string(driver / 1000) + ".x";
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) return "there is no NVIDIA GPU";
  const std::string answer =
      "the NVIDIA driver answers: " + std::string(cudaGetErrorString(status));
  switch (status) {
    case cudaErrorSystemNotReady:
      return answer + "; start the fabric manager (systemctl start nvidia-fabricmanager)";
    case cudaErrorSystemDriverMismatch:
      return answer +
             "; restart the machine, because driver and kernel module have different "
             "versions";
    case cudaErrorCompatNotSupportedOnDevice:
      return answer +
             "; take NVIDIA's compatibility package (cuda-compat) out of LD_LIBRARY_PATH, "
             "or update the driver";
    default:
      return answer + "; nvidia-smi may say more";
  }
}

std::string read_driver_release() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  return cuda::release_in(line);
}

// Why a GPU cannot run the code of this build, and what to do.
std::string problem_of_code(const std::string& capability,
                            const std::optional<cuda::CodeForCard>& code, int driver, int runtime) {
  constexpr std::string_view kNative = "configure the build with -DCMAKE_CUDA_ARCHITECTURES=native";
  if (!code) {
    return "its compute capability is " + capability + ", and this build has code for " +
           std::string(kArchitectures) + " alone; " + std::string(kNative);
  }
  // Drivers compile the PTX of their own CUDA version and of earlier ones.
  if (code->ptx && driver < runtime) {
    return "for compute capability " + capability + " the driver has to compile PTX of CUDA " +
           version_words(runtime) + ", but it serves CUDA " + version_words(driver) +
           "; update the driver, or " + std::string(kNative);
  }
  return {};
}

CudaDevice describe(int index, int driver, int runtime) {
  CudaDevice device;
  device.index = index;
  cudaDeviceProp properties{};
  int mode = 0;
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess ||
      cudaDeviceGetAttribute(&mode, cudaDevAttrComputeMode, index) != cudaSuccess) {
    cudaGetLastError();  // clears the error: another GPU may be queried next
    device.problem = "it does not answer; nvidia-smi may say more";
    return device;
  }
  device.name = properties.name;
  device.capability = capability_words(properties.major, properties.minor);
  device.total_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  if (properties.major < kLeastMajor) {
    device.problem = "its compute capability is " + device.capability + ", and " +
                     capability_words(kLeastMajor, 0) +
                     " or later is needed (RTX 30, A100 and newer)";
    return device;
  }
  const auto code = cuda::code_for(kArchitectures, properties.major, properties.minor);
  if (code) {
    const std::string words = capability_words(code->architecture / 10, code->architecture % 10);
    device.code = code->ptx ? "PTX of " + words + ", compiled by the driver at the first start"
                            : "machine code for " + words;
    device.pdl = code->architecture >= 90;  // as CudaBackend decides
  }
  device.problem = problem_of_code(device.capability, code, driver, runtime);
  if (device.problem.empty() && mode == cudaComputeModeProhibited) {
    device.problem = "its compute mode forbids all programs; allow them with nvidia-smi -i " +
                     std::to_string(index) + " -c DEFAULT, as root";
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
  status.driver_release = read_driver_release();
  for (int i = 0; i < count; ++i) status.devices.push_back(describe(i, driver, runtime));
  return status;
}

std::string_view cuda_library() { return cuda::CudnnConvolutions::name(); }

std::unique_ptr<Backend> make_cuda_backend(int device, bool low_priority, std::optional<bool> pdl) {
  return std::make_unique<cuda::CudaBackend>(device, low_priority, pdl);
}

namespace cuda {

std::optional<CodeForCard> code_for(std::string_view architectures, int major, int minor) {
  const int card = 10 * major + minor;
  int machine = 0, ptx = 0;
  while (!architectures.empty()) {
    const std::string_view each = architectures.substr(0, architectures.find(','));
    architectures.remove_prefix(std::min(architectures.size(), each.size() + 1));
    int number = 0;
    const auto [end, error] = std::from_chars(each.data(), each.data() + each.size(), number);
    // "native", "all": assumed to fit any GPU here
    if (error != std::errc()) return CodeForCard{card, false};
    const std::string_view rest = each.substr(static_cast<size_t>(end - each.data()));
    if (number > card) continue;
    if (rest.starts_with('a') && number != card) continue;
    const bool family = number / 10 == major;
    if (family && !rest.ends_with("-virtual")) machine = std::max(machine, number);
    if ((family || !rest.starts_with('f')) && !rest.ends_with("-real")) ptx = std::max(ptx, number);
  }
  if (machine > 0) return CodeForCard{machine, false};
  if (ptx > 0) return CodeForCard{ptx, true};
  return std::nullopt;
}

std::string in_exclusive_use() {
  return "another program has it alone (exclusive compute mode); end that program, take another "
         "device (--device), or share it with nvidia-smi -c DEFAULT, as root";
}

std::string release_in(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!word.empty() && kDigits.find(word[0]) != std::string_view::npos &&
        word.find('.') != std::string_view::npos &&
        word.find_first_not_of("0123456789.") == std::string_view::npos) {
      return std::string(word);
    }
  }
  return {};
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
    if (result == cudaErrorDevicesUnavailable) refuse(chosen.name + ": " + in_exclusive_use());
    if (result == cudaErrorMemoryAllocation) {
      refuse(chosen.name +
             ": other programs have taken its memory; close them, or take another "
             "device (--device)");
    }
    refuse(chosen.name + " answers: " + cudaGetErrorString(result));
  }
  return std::to_string(device) + ": " + chosen.name + ", " +
         std::to_string(chosen.total_bytes >> 20) + " MiB";
}

}  // namespace cuda
}  // namespace bifrons
