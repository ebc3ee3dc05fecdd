// Resizing by Pillow's antialiased bicubic filter.
#pragma once

#include <cstdint>

#include "vision/pictures/picture.h"

namespace bifrons {

// Gives the same bytes as Pillow's Image.resize((width, height), BICUBIC). Both sides are at least
// 1.
Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height);

// A rectangle of a picture, in pixels.
struct Window {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

// The part `window` of that result; it must lie inside. The rest is not computed: memory and time
// depend on the window and the radius of the filter, not on the size of the whole result.
Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height, const Window& window);

}  // namespace bifrons
