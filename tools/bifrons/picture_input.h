// Pictures a user names.
#pragma once

#include <string>

#include "vision/pictures/picture_read.h"

namespace bifrons::cli {

// The bytes of a picture file, or of stdin for -. Throws Error: usage where stdin is a terminal,
// else as read_file() and read_stdin() do.
std::string picture_bytes(const std::string& path);

// A regular file, or - for stdin. Throws Error naming it: missing, or data
// (vision/pictures/picture_read.h).
Picture read_picture_file(const std::string& path,
                          Orientation orientation = Orientation::kAsStored);

}  // namespace bifrons::cli
