// A picture as the vision tower wants it: sized, padded to a square, scaled, cut into patches.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/picture.h"
#include "vision/tower_config.h"

namespace bifrons {

// The picture scaled so that its long side is `size`, as the original does (docs/janus-pro.md 5.1):
// the same sizes, the same bytes as Pillow's bicubic filter, centred on a square of grey 127. The
// picture has at least one pixel.
Picture squared(const Picture& picture, int64_t size);

// The values the tower sees of a squared picture, x / 255 * 2 - 1 rounded as the original rounds
// them: [tokens, 3 patch^2], patches in raster order, each channel by channel.
std::vector<float> patches_of(const Picture& squared, const TowerConfig& config);

}  // namespace bifrons
