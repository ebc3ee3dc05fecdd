// decode_picture for builds without OpenCV: PNG and JPEG through stb_image.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <stb_image.h>
#pragma GCC diagnostic pop

#include <algorithm>

#include "kernels/error.h"
#include "vision/picture_decode.h"

namespace bifrons {

Picture decode_picture(std::span<const uint8_t> file) {
  int width = 0, height = 0, channels = 0;
  const int size = static_cast<int>(file.size());
  const bool known = stbi_info_from_memory(file.data(), size, &width, &height, &channels) != 0;
  stbi_uc* pixels = nullptr;
  if (known && int64_t{width} * height <= (int64_t{64} << 20)) {
    pixels = stbi_load_from_memory(file.data(), size, &width, &height, &channels, 3);
  }
  if (pixels == nullptr) throw Error(ErrorKind::kData, "not a picture that can be read");
  Picture picture{width, height,
                  std::vector<uint8_t>(pixels, pixels + int64_t{width} * height * 3)};
  stbi_image_free(pixels);
  return picture;
}

}  // namespace bifrons
