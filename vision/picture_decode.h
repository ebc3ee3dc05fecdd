// A checked picture file to pixels, by the codec this build was given.
#pragma once

#include <cstdint>

#include "vision/picture.h"
#include "vision/strip_metadata.h"

namespace bifrons {

// As stored: orientation is the caller's. Throws Error (data) when the decoder gives up or finds
// another size than the container said, or for a format this build cannot read.
Picture decode_pixels(const StrippedPicture& bare);

// A value seen through `alpha` on a white ground, rounded.
constexpr uint8_t over_white(uint32_t value, uint32_t alpha) {
  return static_cast<uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

}  // namespace bifrons
