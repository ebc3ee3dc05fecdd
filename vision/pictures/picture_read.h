// Pictures from files that anyone may have written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vision/pictures/picture.h"

namespace bifrons {

inline constexpr size_t kMostPictureBytes = size_t{64} << 20;
inline constexpr int64_t kMostPicturePixels = int64_t{64} << 20;
inline constexpr int64_t kMostPictureSide = 16384;

// What to do with the turn or flip that EXIF asks for. The reference implementation ignores it.
enum class Orientation { kAsStored, kApply };

// A PNG, JPEG or WebP file (still, 8-bit RGB or grey JPEG; any PNG) as 8-bit RGB: transparent
// pixels over white, grey spread to three channels, of 16 bits the high eight, colour profiles and
// gamma ignored. The container is checked and its size held against the limits before any pixel is
// decoded, and the decoder sees only the parts that pixels need. Damage that neither a checksum nor
// a length shows (JPEG data) gives some picture. Throws Error (data) for everything else, with a
// sentence that does not name the file.
Picture read_picture(std::span<const uint8_t> file,
                     Orientation orientation = Orientation::kAsStored);

}  // namespace bifrons
