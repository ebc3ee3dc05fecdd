// Preprocessing for the vision tower: scales a picture, pads it to a square and cuts it into
// patches.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/networks/tower_config.h"
#include "vision/pictures/picture.h"

namespace bifrons {

// Scales the picture so that its long side is `size`, as the original does (docs/janus-pro.md 5.1):
// the same sizes and the same bytes as Pillow's bicubic filter, centred on a square of grey 127.
// The picture must have at least one pixel.
Picture squared(const Picture& picture, int64_t size);

// The input values of the tower for a squared picture, x / 255 * 2 - 1 rounded as in the original:
// [tokens, 3 patch^2], patches in raster order, each channel by channel.
std::vector<float> patches_of(const Picture& squared, const TowerConfig& config);

}  // namespace bifrons
