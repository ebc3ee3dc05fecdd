// A picture file reduced to what its pixels need: what a decoder gets to see.
#pragma once

#include <cstdint>

#include "kernels/bytes.h"
#include "vision/pictures/picture.h"

namespace bifrons {

struct StrippedPicture {
  PictureFormat format = PictureFormat::kPng;
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;  // of a JPEG: 1 or 3; 0 for the others
  int orientation = 1;   // what EXIF says, 1 to 8
  Bytes file;            // no text, profiles, thumbnails or unknown parts
};

// Check a container and copy what pixels need. Each throws Error (data) for a damaged file, a size
// over the limits of picture_read.h (before it looks at pixels) or a kind that is not supported.
StrippedPicture strip_png(ByteView file);
StrippedPicture strip_jpeg(ByteView file);
StrippedPicture strip_webp(ByteView file);

// Throws Error (data) for a size beyond the limits, or none at all.
void check_picture_size(int64_t width, int64_t height);

}  // namespace bifrons
