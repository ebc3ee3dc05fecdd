// Scaling of pictures by Pillow's antialiased bicubic filter.
#pragma once

#include <cstdint>

#include "vision/picture.h"

namespace bifrons {

// The bytes that Image.resize((width, height), BICUBIC) of Pillow gives. Both sides at least 1.
Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height);

}  // namespace bifrons
