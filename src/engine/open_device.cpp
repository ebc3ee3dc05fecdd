// Opens the device with a given name; "auto" falls back to the CPU.
#include "src/engine/open_device.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "kernels/devices.h"
#include "src/bifrons.h"
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

OpenDevice open_best(int threads, bool low_priority, std::optional<bool> pdl) {
  const CudaStatus status = cuda_status();
  std::string why = status.problem;
  for (const CudaDevice& device : status.devices) {
    if (device.problem.empty()) {
      return {make_cuda_backend(device.index, low_priority, pdl),
              fmt::format("cuda:{}", device.index),
              {}};
    }
    if (why.empty()) why = device.name + ": " + device.problem;
  }
  if (!status.built) why.clear();
  return {make_cpu_backend(threads), "cpu", why};
}

}  // namespace

OpenDevice open_device(const std::string& name, int threads, bool low_priority,
                       std::optional<bool> pdl) {
  if (name == "auto") return open_best(threads, low_priority, pdl);
  if (name == "cpu") return {make_cpu_backend(threads), name, {}};
  if (name.starts_with("cpu:")) return {make_cpu_backend(threads, name.substr(4)), name, {}};
  if (const auto index = cuda_index(name)) {
    return {make_cuda_backend(*index, low_priority, pdl), name, {}};
  }
  throw Error(ErrorKind::kUnavailable,
              fmt::format("no device {}: there are auto, cpu, cpu:ISA and cuda:N", quote(name)));
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> all{{"cpu", std::string(make_cpu_backend(0)->description()), {}}};
  const CudaStatus status = cuda_status();
  if (!status.problem.empty()) all.push_back({"cuda", {}, status.problem});
  for (const CudaDevice& device : status.devices) {
    all.push_back({fmt::format("cuda:{}", device.index),
                   fmt::format("{}, compute capability {}, {} MiB", device.name, device.capability,
                               device.total_bytes >> 20),
                   device.problem});
  }
  return all;
}

}  // namespace bifrons
