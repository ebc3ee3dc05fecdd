// A picture file reduced to what its pixels need. Only this is given to a decoder.
#pragma once

#include <cstdint>

#include "kernels/bytes.h"
#include "vision/pictures/picture.h"

namespace bifrons {

struct StrippedPicture {
  PictureFormat format = PictureFormat::kPng;
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;  // 1 or 3 for a JPEG; 0 for other formats
  int orientation = 1;   // EXIF orientation, 1 to 8
  Bytes file;            // without text, profiles, thumbnails and unknown parts
};

// Check a container and copy what pixels need. Each throws Error (data) for a damaged file, a size
// over the limits of picture_read.h (checked before the pixels), or a variant that is not
// supported.
StrippedPicture strip_png(ByteView file);
StrippedPicture strip_jpeg(ByteView file);
StrippedPicture strip_webp(ByteView file);

// Throws Error (data) if the size is zero or over the limits.
void check_picture_size(int64_t width, int64_t height);

}  // namespace bifrons
