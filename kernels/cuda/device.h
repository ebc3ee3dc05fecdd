// Selecting and opening a GPU.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bifrons::cuda {

// Makes `device` the current one. Returns its name and memory in words. Throws Error (unavailable).
std::string open_device(int device);

// The code of a build that a GPU runs.
struct CodeForCard {
  int architecture = 0;  // 90 for compute capability 9.0
  bool ptx = false;      // the driver compiles it at the first start
};

// Which code of a build for `architectures` (CMAKE_CUDA_ARCHITECTURES, separated by commas) a GPU
// runs: machine code if there is any for it ("90-real" also runs on later minor versions,
// "100f-real" too, "90a-real" only on 9.0), otherwise the newest PTX that the driver can compile
// ("80" and "80-virtual": on 8.0 and all later ones). nullopt if there is none.
std::optional<CodeForCard> code_for(std::string_view architectures, int major, int minor);

// The version of the driver in the text of /proc/driver/nvidia/version; empty if there is none.
std::string release_in(std::string_view text);

// What to do about a GPU that another program has alone (cudaErrorDevicesUnavailable).
std::string in_exclusive_use();

}  // namespace bifrons::cuda
