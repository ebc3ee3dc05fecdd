// encode_pixels without OpenCV: PNG and JPEG with stb_image_write.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image_write.h>
#pragma GCC diagnostic pop

#include "kernels/error.h"
#include "vision/pictures/picture_codec.h"

namespace bifrons {
namespace {

void append_to_file(void* context, void* data, int size) {
  auto& file = *static_cast<std::vector<uint8_t>*>(context);
  const auto* bytes = static_cast<const uint8_t*>(data);
  file.insert(file.end(), bytes, bytes + size);
}

}  // namespace

void load_picture_codec() {}

std::vector<uint8_t> encode_pixels(const Picture& picture, PictureFormat format) {
  const int width = static_cast<int>(picture.width);
  const int height = static_cast<int>(picture.height);
  check(picture.rgb.size() == static_cast<size_t>(picture.width * picture.height * 3),
        "encode_pixels: the pixels do not fill the picture");
  std::vector<uint8_t> file;
  int written = 0;
  switch (format) {
    case PictureFormat::kPng:
      written = stbi_write_png_to_func(append_to_file, &file, width, height, 3, picture.rgb.data(),
                                       width * 3);
      break;
    case PictureFormat::kJpeg:
      written =
          stbi_write_jpg_to_func(append_to_file, &file, width, height, 3, picture.rgb.data(), 95);
      break;
    case PictureFormat::kWebp:
      throw Error(
          ErrorKind::kUsage,
          "WebP cannot be written without OpenCV's module (the package bifrons-opencv), which is "
          "not installed; use .png or .jpg");
  }
  if (!written) throw Error(ErrorKind::kFailed, "stb could not encode the picture");
  return file;
}

}  // namespace bifrons
