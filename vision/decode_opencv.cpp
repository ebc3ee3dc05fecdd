// decode_picture through OpenCV.
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "kernels/error.h"
#include "vision/picture_decode.h"

namespace bifrons {

Picture decode_picture(std::span<const uint8_t> file) {
  cv::Mat pixels;
  try {
    const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1,
                        const_cast<uint8_t*>(file.data()));
    pixels = cv::imdecode(bytes, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    pixels.release();
  }
  if (pixels.empty() || pixels.total() > (size_t{64} << 20) || !pixels.isContinuous()) {
    throw Error(ErrorKind::kData, "not a picture that can be read");
  }
  Picture picture{pixels.cols, pixels.rows, std::vector<uint8_t>(pixels.total() * 3)};
  for (size_t i = 0; i < picture.rgb.size(); i += 3) {  // OpenCV keeps blue first
    picture.rgb[i] = pixels.data[i + 2];
    picture.rgb[i + 1] = pixels.data[i + 1];
    picture.rgb[i + 2] = pixels.data[i];
  }
  return picture;
}

}  // namespace bifrons
