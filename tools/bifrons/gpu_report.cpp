// What `devices` and `doctor` say about a device.
#include "tools/bifrons/gpu_report.h"

#include <fmt/format.h>

namespace bifrons::cli {

std::string device_line(const DeviceInfo& device) {
  std::string line = fmt::format("{:8} {}", device.name, device.about);
  if (!device.problem.empty()) {
    line += (device.about.empty() ? "" : "; ") + ("cannot be used: " + device.problem);
  }
  return line + "\n";
}

Fit fit_on(const DeviceInfo& gpu, int64_t needed_bytes) {
  const int64_t room = gpu.free_bytes.value_or(gpu.total_bytes);
  std::string words =
      fmt::format("{}: one picture of this model takes {:.1f} GB, and {:.1f} of {:.1f} GB are free",
                  gpu.name, static_cast<double>(needed_bytes) / 1e9,
                  static_cast<double>(room) / 1e9, static_cast<double>(gpu.total_bytes) / 1e9);
  if (needed_bytes <= room) return {true, words};
  words += needed_bytes <= gpu.total_bytes
               ? "; close other programs on this GPU, or draw with --device cpu"
               : "; take a smaller model, or draw with --device cpu";
  return {false, words};
}

}  // namespace bifrons::cli
