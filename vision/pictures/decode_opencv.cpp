// decode_pixels with OpenCV, whose codecs are libpng, libjpeg-turbo and libwebp.
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "kernels/error.h"
#include "vision/pictures/codec_opencv.h"

namespace bifrons::opencv {
namespace {

// Converts a row of 1, 3 (BGR) or 4 (BGRA) channels of T to RGB. Of 16-bit values the high byte is
// used.
template <typename T>
void convert_row(const T* from, int channels, int64_t width, uint8_t* rgb) {
  constexpr int kShift = 8 * (sizeof(T) - 1);
  for (int64_t x = 0; x < width; ++x, from += channels, rgb += 3) {
    for (int c = 0; c < 3; ++c) {
      const uint32_t value = from[channels == 1 ? 0 : 2 - c] >> kShift;
      rgb[c] = static_cast<uint8_t>(channels == 4 ? over_white(value, from[3] >> kShift) : value);
    }
  }
}

}  // namespace

Picture decode_pixels(const StrippedPicture& bare) {
  cv::Mat pixels;
  if (bare.channels > 0) {  // what a damaged JPEG lacks is black, not old memory
    pixels = cv::Mat::zeros(static_cast<int>(bare.height), static_cast<int>(bare.width),
                            CV_8UC(static_cast<int>(bare.channels)));
  }
  try {
    const cv::Mat decoded = cv::imdecode(bare.file, cv::IMREAD_UNCHANGED, &pixels);
    if (decoded.empty()) pixels.release();
  } catch (const cv::Exception&) {
    pixels.release();
  }
  if (pixels.empty() || (pixels.depth() != CV_8U && pixels.depth() != CV_16U) ||
      pixels.cols != bare.width || pixels.rows != bare.height ||
      (pixels.channels() != 1 && pixels.channels() != 3 && pixels.channels() != 4)) {
    throw Error(ErrorKind::kData, "its pixels cannot be decoded");
  }
  Picture picture{bare.width, bare.height,
                  std::vector<uint8_t>(static_cast<size_t>(bare.width * bare.height * 3))};
  for (int y = 0; y < pixels.rows; ++y) {
    uint8_t* rgb = picture.rgb.data() + y * bare.width * 3;
    if (pixels.depth() == CV_8U) {
      convert_row(pixels.ptr<uint8_t>(y), pixels.channels(), bare.width, rgb);
    } else {
      convert_row(pixels.ptr<uint16_t>(y), pixels.channels(), bare.width, rgb);
    }
  }
  return picture;
}

}  // namespace bifrons::opencv
