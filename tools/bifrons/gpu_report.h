// What `devices` and `doctor` say about a device.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "src/bifrons.h"

namespace bifrons::cli {

// "cuda:0   NVIDIA H200, ...", and why it cannot be used; with a line end.
std::string device_line(const DeviceInfo& device);

struct Fit {
  bool fits = false;
  std::string words;
};
// Whether a GPU holds what one picture takes, and what to do if it does not. needed: as
// ModelSummary::gpu_bytes. Without the number of its free bytes, all of its memory counts as free.
Fit fit_on(const DeviceInfo& gpu, std::span<const std::pair<std::string, int64_t>> needed);

}  // namespace bifrons::cli
