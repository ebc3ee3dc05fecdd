// The entry of the module without OpenCV, which the program loads where OpenCV's is not installed.
#include "vision/pictures/codec_module.h"

extern "C" __attribute__((visibility("default"))) const bifrons::CodecModule*
bifrons_picture_codec() {
  static constexpr bifrons::CodecModule kModule{&bifrons::encode_pixels, &bifrons::decode_pixels};
  return &kModule;
}
