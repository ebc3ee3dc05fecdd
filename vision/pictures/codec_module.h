// The picture codec as a module that is loaded when the first picture is read or written. OpenCV's
// codecs need some 120 shared libraries, which take several times as long to load as everything
// else that the program does before it draws.
#pragma once

#include "vision/pictures/picture_codec.h"

namespace bifrons {

// What the module exports under the name kCodecSymbol, a function without arguments that returns
// this table. The functions are those of picture_codec.h.
struct CodecModule {
  std::vector<uint8_t> (*encode)(const Picture& picture, PictureFormat format);
  Picture (*decode)(const StrippedPicture& bare);
};
using CodecEntry = const CodecModule*();

inline constexpr const char* kCodecSymbol = "bifrons_picture_codec";

}  // namespace bifrons
