// The two halves of the OpenCV codec; see picture_codec.h for what they do.
#pragma once

#include "vision/pictures/picture_codec.h"

namespace bifrons::opencv {

std::vector<uint8_t> encode_pixels(const Picture& picture, PictureFormat format);
Picture decode_pixels(const StrippedPicture& bare);

}  // namespace bifrons::opencv
