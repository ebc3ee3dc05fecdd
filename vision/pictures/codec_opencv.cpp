// The module's entry.
#include "vision/pictures/codec_opencv.h"

#include "vision/pictures/codec_module.h"

extern "C" __attribute__((visibility("default"))) const bifrons::CodecModule*
bifrons_picture_codec() {
  static constexpr bifrons::CodecModule kModule{&bifrons::opencv::encode_pixels,
                                                &bifrons::opencv::decode_pixels};
  return &kModule;
}
