// Preprocessing for the vision tower: scales a picture, pads it to a square and cuts it into
// patches.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/networks/tower_config.h"
#include "vision/pictures/picture.h"

namespace bifrons {

// Scales the picture so that its longer side is `size`, as the original does (docs/janus-pro.md
// 5.1), and centres it on a square of grey 127. Sizes and bytes are the same as with Pillow's
// bicubic filter. The picture must have at least one pixel.
Picture squared(const Picture& picture, int64_t size);

// Input values of the tower for a squared picture: x / 255 * 2 - 1, rounded as in the original.
// [tokens, 3 patch^2], patches in raster order, channel by channel within a patch.
std::vector<float> patches_of(const Picture& squared, const TowerConfig& config);

}  // namespace bifrons
