// Reads pictures from untrusted files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vision/pictures/picture.h"

namespace bifrons {

inline constexpr size_t kMostPictureBytes = size_t{64} << 20;
inline constexpr int64_t kMostPicturePixels = int64_t{64} << 20;
inline constexpr int64_t kMostPictureSide = 16384;

// Whether to apply the EXIF orientation (a turn or flip). The reference implementation ignores it.
enum class Orientation { kAsStored, kApply };

// Reads a PNG, JPEG or WebP file as 8-bit RGB: any PNG, 8-bit RGB or grey JPEG, still WebP.
// Transparent pixels are blended with white, grey becomes three equal channels, of 16 bits the high
// 8 are used, colour profiles and gamma are ignored. The container is checked, and its size
// compared with the limits, before any pixel is decoded. The decoder only gets the parts that
// pixels need. Damage that no checksum or length reveals (JPEG data) gives some picture. Throws
// Error (data) for everything else; the message does not name the file.
Picture read_picture(std::span<const uint8_t> file,
                     Orientation orientation = Orientation::kAsStored);

}  // namespace bifrons
