// Selecting and opening a GPU.
#pragma once

#include <string>
#include <string_view>

namespace bifrons::cuda {

// Makes `device` the current one. Returns its name and memory in words. Throws Error (unavailable).
std::string open_device(int device);

// Whether a build for `architectures` (CMAKE_CUDA_ARCHITECTURES, separated by commas) has code for
// a GPU: either machine code ("90-real" also runs on later minor versions, "90a-real" only on 9.0),
// or PTX that the driver compiles ("80" and "80-virtual": on 8.0 and all later ones).
bool has_code_for(std::string_view architectures, int major, int minor);

}  // namespace bifrons::cuda
