// Which cards there are, and opening one.
#pragma once

#include <string>

namespace bifrons::cuda {

// Makes `device` the current one; its name and memory in words. Throws Error (unavailable).
std::string open_device(int device);

}  // namespace bifrons::cuda
