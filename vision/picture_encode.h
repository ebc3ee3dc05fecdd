// Pixels to the bytes of a picture file, by the codec this build was given; no metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/picture.h"

namespace bifrons {

// Deterministic for one codec version. Throws Error (usage) for a format this build cannot write.
std::vector<uint8_t> encode_pixels(const Picture& picture, PictureFormat format);

}  // namespace bifrons
