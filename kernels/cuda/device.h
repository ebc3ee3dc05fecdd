// Which cards there are, and opening one.
#pragma once

#include <string>
#include <string_view>

namespace bifrons::cuda {

// Makes `device` the current one; its name and memory in words. Throws Error (unavailable).
std::string open_device(int device);

// Whether a build for `architectures`, as CMAKE_CUDA_ARCHITECTURES names them with commas, has code
// for a card: its own ("90-real" runs on later minor versions too, "90a-real" on 9.0 alone), or
// code that the driver translates ("80" and "80-virtual": on 8.0 and all later ones).
bool has_code_for(std::string_view architectures, int major, int minor);

}  // namespace bifrons::cuda
