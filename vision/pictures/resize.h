// Scaling of pictures by Pillow's antialiased bicubic filter.
#pragma once

#include <cstdint>

#include "vision/pictures/picture.h"

namespace bifrons {

// The bytes that Image.resize((width, height), BICUBIC) of Pillow gives. Both sides at least 1.
Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height);

// A part of a picture, in pixels.
struct Window {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

// The part `window` of that result, without making the rest: memory and time depend on the window
// and on what the filter reaches around it, however large the whole would be. It lies inside.
Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height, const Window& window);

}  // namespace bifrons
