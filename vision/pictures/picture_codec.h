// Pixels to the bytes of a picture file and back, without metadata, by the codec of this build.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/pictures/picture.h"
#include "vision/pictures/strip_metadata.h"

namespace bifrons {

// Loads what the codec needs. encode_pixels() and decode_pixels() do it as well; a program that
// draws for minutes calls this first. Throws Error (unavailable).
void load_picture_codec();

// Encodes pixels. The bytes are deterministic for one codec version. Throws Error (usage) for a
// format that this build cannot write.
std::vector<uint8_t> encode_pixels(const Picture& picture, PictureFormat format);

// Decodes pixels as stored; the caller applies the orientation. Throws Error (data) if the decoder
// fails, if the size differs from that of the container, or if this build cannot read the format.
Picture decode_pixels(const StrippedPicture& bare);

// Blends a value with a white background by `alpha`, rounded.
constexpr uint8_t over_white(uint32_t value, uint32_t alpha) {
  return static_cast<uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

}  // namespace bifrons
