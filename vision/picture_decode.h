// The bytes of a picture file to pixels, by the codec this build was given. For files this program
// wrote itself: decoders are no place for bytes of strangers.
#pragma once

#include <cstdint>
#include <span>

#include "vision/picture.h"

namespace bifrons {

// Throws Error (data): not a picture this build can read, or one of more than 64 megapixels.
Picture decode_picture(std::span<const uint8_t> file);

}  // namespace bifrons
