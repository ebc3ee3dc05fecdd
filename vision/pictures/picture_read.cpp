// Detects the format, decodes the picture and applies its orientation.
#include "vision/pictures/picture_read.h"

#include <array>
#include <string>

#include "kernels/error.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/strip_metadata.h"

namespace bifrons {
namespace {

// Other picture formats, for messages: offset of the signature, the signature, the name.
struct OtherFormat {
  size_t at;
  std::string_view mark;
  std::string_view name;
};
constexpr std::array<OtherFormat, 8> kOthers = {{{0, "GIF8", "a GIF"},
                                                 {0, "BM", "a BMP"},
                                                 {0, "II*", "a TIFF"},
                                                 {0, "MM", "a TIFF"},
                                                 {4, "ftypavi", "an AVIF"},
                                                 {4, "ftyp", "a HEIC picture or a film"},
                                                 {0, "%PDF", "a PDF"},
                                                 {0, "<svg", "an SVG"}}};

[[noreturn]] void refuse_format(ByteView file) {
  for (const OtherFormat& other : kOthers) {
    if (starts_with(file, other.at, other.mark)) {
      throw Error(ErrorKind::kData, "this looks like " + std::string(other.name) +
                                        ", but only PNG, JPEG and WebP are read");
    }
  }
  throw Error(ErrorKind::kData, "this is not a PNG, JPEG or WebP file");
}

StrippedPicture stripped_picture(ByteView file) {
  if (file.empty()) throw Error(ErrorKind::kData, "the file is empty");
  if (file.size() > kMostPictureBytes) {
    throw Error(ErrorKind::kData, "the file is longer than 64 MiB");
  }
  if (starts_with(file, 0, "\x89PNG")) return strip_png(file);
  if (starts_with(file, 0, "\xff\xd8")) return strip_jpeg(file);
  if (starts_with(file, 0, "RIFF")) return strip_webp(file);
  refuse_format(file);
}

// Applies the EXIF orientation: 2 to 4 keep width and height, 5 to 8 exchange them.
Picture turned(const Picture& from, int orientation) {
  if (orientation == 1) return from;
  const bool exchanged = orientation >= 5;
  Picture to{exchanged ? from.height : from.width, exchanged ? from.width : from.height,
             std::vector<uint8_t>(from.rgb.size())};
  // Whether the stored x or y runs in the opposite direction in the upright picture.
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int64_t y = 0; y < to.height; ++y) {
    for (int64_t x = 0; x < to.width; ++x) {
      int64_t from_x = exchanged ? y : x, from_y = exchanged ? x : y;
      if (flip_x) from_x = from.width - 1 - from_x;
      if (flip_y) from_y = from.height - 1 - from_y;
      for (int64_t c = 0; c < 3; ++c) {
        to.rgb[(y * to.width + x) * 3 + c] = from.rgb[(from_y * from.width + from_x) * 3 + c];
      }
    }
  }
  return to;
}

}  // namespace

void check_picture_size(int64_t width, int64_t height) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width < 1 || height < 1) throw Error(ErrorKind::kData, "a picture of " + size + " pixels");
  if (width > kMostPictureSide || height > kMostPictureSide) {
    throw Error(ErrorKind::kData,
                size + " pixels, but a side may have at most " + std::to_string(kMostPictureSide));
  }
  if (width * height > kMostPicturePixels) {
    throw Error(ErrorKind::kData, size + " pixels, but a picture may have at most " +
                                      std::to_string(kMostPicturePixels) + " in all");
  }
}

Picture read_picture(std::span<const uint8_t> file, Orientation orientation) {
  const StrippedPicture bare = stripped_picture(file);
  Picture picture = decode_pixels(bare);
  if (orientation == Orientation::kAsStored) return picture;
  return turned(picture, bare.orientation);
}

}  // namespace bifrons
