// Opens the device with a given name; "auto" falls back to the CPU.
#include "src/engine/open_device.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "src/io/quote.h"

namespace bifrons {
namespace {

// The N of "cuda:N", 0 for "cuda"; nullopt for other names.
std::optional<int> cuda_index(const std::string& name) {
  if (name == "cuda") return 0;
  if (!name.starts_with("cuda:") || name.size() > 8) return std::nullopt;
  int index = -1;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + 5, end, index);
  if (error != std::errc() || at != end || index < 0) return std::nullopt;
  return index;
}

// Programmatic dependent launch, in words: CudaBackend decides in the same way.
std::string_view pdl_words(bool possible, std::optional<bool> asked) {
  if (!possible) return "no programmatic dependent launch";
  if (!asked) return "programmatic dependent launch where it is faster";
  return *asked ? "programmatic dependent launch" : "programmatic dependent launch off";
}

std::string about_gpu(const CudaStatus& status, const CudaDevice& device, std::optional<bool> pdl) {
  std::string about = fmt::format("{}, compute capability {}, {} MiB", device.name,
                                  device.capability, device.total_bytes >> 20);
  if (status.driver_release.empty()) {
    about += fmt::format(", driver for CUDA {}", status.driver);
  } else {
    about += fmt::format(", driver {} (CUDA {})", status.driver_release, status.driver);
  }
  if (device.code.empty()) return about;
  return about + fmt::format(", {}, {}", device.code, pdl_words(device.pdl, pdl));
}

}  // namespace

OpenDevice open_first(const CudaStatus& status, const OpenGpu& open, int threads) {
  std::string why = status.problem;
  const auto note = [&why](const std::string& problem) {
    if (why.empty()) why = problem;
  };
  for (const CudaDevice& device : status.devices) {
    if (!device.problem.empty()) {
      note(device.name + ": " + device.problem);
      continue;
    }
    try {
      return {open(device.index), fmt::format("cuda:{}", device.index), {}};
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kUnavailable) throw;
      note(error.what());
    }
  }
  if (!status.built) why.clear();
  return {make_cpu_backend(threads), "cpu", why};
}

OpenDevice open_device(const std::string& name, int threads, bool low_priority,
                       std::optional<bool> pdl) {
  const auto open_gpu = [&](int index) { return make_cuda_backend(index, low_priority, pdl); };
  if (name == "auto") return open_first(cuda_status(), open_gpu, threads);
  if (name == "cpu") return {make_cpu_backend(threads), name, {}};
  if (name.starts_with("cpu:")) return {make_cpu_backend(threads, name.substr(4)), name, {}};
  if (const auto index = cuda_index(name)) {
    return {open_gpu(*index), name, {}};
  }
  throw Error(ErrorKind::kUnavailable,
              fmt::format("no device {}: there are auto, cpu, cpu:ISA and cuda:N", quote(name)));
}

std::vector<DeviceInfo> describe_gpus(const CudaStatus& status, std::optional<bool> pdl) {
  if (!status.problem.empty()) return {{"cuda", {}, status.problem}};
  std::vector<DeviceInfo> all;
  for (const CudaDevice& device : status.devices) {
    DeviceInfo info{fmt::format("cuda:{}", device.index), {}, device.problem, device.total_bytes};
    if (!device.name.empty()) info.about = about_gpu(status, device, pdl);
    all.push_back(std::move(info));
  }
  return all;
}

std::vector<DeviceInfo> devices(std::optional<bool> pdl) {
  std::vector<DeviceInfo> all{{"cpu", std::string(make_cpu_backend(0)->description()), {}}};
  for (DeviceInfo& gpu : describe_gpus(cuda_status(), pdl)) all.push_back(std::move(gpu));
  return all;
}

void try_device(DeviceInfo& device) {
  const auto index = cuda_index(device.name);
  if (!index || !device.problem.empty()) return;
  try {
    device.free_bytes = make_cuda_backend(*index, false, {})->free_bytes();
  } catch (const Error& error) {
    device.problem = error.what();
  }
}

}  // namespace bifrons
