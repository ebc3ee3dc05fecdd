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

Fit fit_on(const DeviceInfo& gpu, std::span<const std::pair<std::string, int64_t>> needed) {
  const int64_t room = gpu.free_bytes.value_or(gpu.total_bytes), bytes = needed.front().second;
  std::string words =
      fmt::format("{}: one picture of this model takes {:.1f} GB, and {:.1f} of {:.1f} GB are free",
                  gpu.name, static_cast<double>(bytes) / 1e9, static_cast<double>(room) / 1e9,
                  static_cast<double>(gpu.total_bytes) / 1e9);
  if (bytes <= room) return {true, words};
  for (const auto& [format, fewer] : needed.subspan(1)) {
    if (fewer > room) continue;
    words +=
        fmt::format("; --weights {} takes {:.1f} GB", format, static_cast<double>(fewer) / 1e9);
    return {false, words};
  }
  words += bytes <= gpu.total_bytes
               ? "; close other programs on this GPU, or draw with --device cpu"
               : "; take a smaller model, or draw with --device cpu";
  return {false, words};
}

}  // namespace bifrons::cli
