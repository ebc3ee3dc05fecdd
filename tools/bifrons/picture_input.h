// Pictures a user names.
#pragma once

#include <string>

#include "vision/picture_read.h"

namespace bifrons {

// A regular file, or - for stdin. Throws Error naming it: missing, or data (vision/picture_read.h).
Picture read_picture_file(const std::string& path,
                          Orientation orientation = Orientation::kAsStored);

}  // namespace bifrons
