// Pixels to the bytes of a picture file and back, by the codec this build was given; no metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/pictures/picture.h"
#include "vision/pictures/strip_metadata.h"

namespace bifrons {

// Deterministic for one codec version. Throws Error (usage) for a format this build cannot write.
std::vector<uint8_t> encode_pixels(const Picture& picture, PictureFormat format);

// As stored: orientation is the caller's. Throws Error (data) when the decoder gives up or finds
// another size than the container said, or for a format this build cannot read.
Picture decode_pixels(const StrippedPicture& bare);

// A value seen through `alpha` on a white ground, rounded.
constexpr uint8_t over_white(uint32_t value, uint32_t alpha) {
  return static_cast<uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

}  // namespace bifrons
