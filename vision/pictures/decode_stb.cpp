// decode_pixels without OpenCV: PNG and JPEG with stb_image.
#include <cstdlib>
#include <memory>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
// calloc: pixels that a damaged file lacks are zero, not old memory.
#define STBI_MALLOC(size) std::calloc(1, size)
#define STBI_REALLOC(data, size) std::realloc(data, size)
#define STBI_FREE(data) std::free(data)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb_image.h>
#pragma GCC diagnostic pop

#include "kernels/error.h"
#include "vision/pictures/picture_codec.h"

namespace bifrons {

Picture decode_pixels(const StrippedPicture& bare) {
  if (bare.format == PictureFormat::kWebp) {
    throw Error(
        ErrorKind::kData,
        "WebP cannot be read without OpenCV's module (the package bifrons-opencv), which is "
        "not installed; give a PNG or JPEG");
  }
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<uint8_t, void (*)(void*)> pixels(
      stbi_load_from_memory(bare.file.data(), static_cast<int>(bare.file.size()), &width, &height,
                            &channels, 4),
      stbi_image_free);
  if (pixels == nullptr || width != bare.width || height != bare.height) {
    throw Error(ErrorKind::kData, "its pixels cannot be decoded");
  }
  const size_t count = static_cast<size_t>(bare.width * bare.height);
  Picture picture{bare.width, bare.height, std::vector<uint8_t>(count * 3)};
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* rgba = pixels.get() + 4 * i;
    for (size_t c = 0; c < 3; ++c) picture.rgb[3 * i + c] = over_white(rgba[c], rgba[3]);
  }
  return picture;
}

}  // namespace bifrons
