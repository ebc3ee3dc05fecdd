// WebP: checks the RIFF chunks of a still picture, lossy or lossless, with or without alpha.
#include "kernels/error.h"
#include "vision/pictures/exif_xmp.h"
#include "vision/pictures/strip_metadata.h"

namespace bifrons {
namespace {

constexpr uint8_t kHasAlpha = 0x10, kIsAnimated = 0x02;

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::kData, "the WebP file is damaged: " + std::string(what));
}

void append_chunk(Bytes& out, std::string_view name, ByteView data) {
  append(out, name);
  append_little(out, static_cast<uint32_t>(data.size()), 4);
  append(out, data);
  if (data.size() % 2) out.push_back(0);
}

// Reads the size from the lossy or lossless bitstream. A decoder allocates memory for this size.
void read_size(StrippedPicture& bare, bool lossless, ByteView data) {
  if (lossless) {
    if (data.size() < 5 || data[0] != 0x2f) refuse("its pixels do not begin as they should");
    const uint32_t bits = read_little(data, 1, 4);
    bare.width = (bits & 0x3fff) + 1;
    bare.height = (bits >> 14 & 0x3fff) + 1;
  } else {
    if (data.size() < 10 || !starts_with(data, 3, "\x9d\x01\x2a")) {
      refuse("its pixels do not begin as they should");
    }
    bare.width = read_little(data, 6, 2) & 0x3fff;
    bare.height = read_little(data, 8, 2) & 0x3fff;
  }
  check_picture_size(bare.width, bare.height);
}

}  // namespace

StrippedPicture strip_webp(ByteView file) {
  if (!starts_with(file, 0, "RIFF") || !starts_with(file, 8, "WEBP")) {
    throw Error(ErrorKind::kData, "this is a RIFF file, but not a WebP");
  }
  const size_t size = read_little(file, 4, 4);
  if (size < 4 || size > file.size() - 8) refuse("it ends early");
  file = file.first(8 + size);
  StrippedPicture bare{.format = PictureFormat::kWebp};
  ByteView features, alpha, pixels;
  std::string_view coding;
  for (size_t at = 12; at < file.size();) {
    if (file.size() - at < 8) refuse("it ends early");
    const size_t length = read_little(file, at + 4, 4);
    if (length > file.size() - at - 8) refuse("it ends early");
    const std::string_view name = as_text(file.subspan(at, 4));
    const ByteView data = file.subspan(at + 8, length);
    if (name == "VP8X") {
      if (!features.empty() || !pixels.empty() || length < 10) refuse("a part in the wrong place");
      if (data[0] & kIsAnimated) {
        throw Error(ErrorKind::kData, "an animated WebP; give one still picture");
      }
      features = data;
    } else if (name == "ALPH") {
      if (!alpha.empty() || !pixels.empty()) refuse("a part in the wrong place");
      alpha = data;
    } else if (name == "VP8 " || name == "VP8L") {
      if (!pixels.empty()) refuse("it holds two pictures");
      read_size(bare, name == "VP8L", data);
      pixels = data;
      coding = name;
    } else if (name == "EXIF") {
      const size_t prefix = starts_with(data, 0, std::string_view("Exif\0\0", 6)) ? 6 : 0;
      bare.orientation = exif_orientation(data.subspan(prefix));
    }
    at += 8 + length + length % 2;
  }
  if (pixels.empty()) refuse("it holds no pixels");
  if (!features.empty() && (read_little(features, 4, 3) + 1 != bare.width ||
                            read_little(features, 7, 3) + 1 != bare.height)) {
    refuse("its two sizes differ");
  }

  Bytes chunks;
  append(chunks, "WEBP");
  if (!alpha.empty() && coding == "VP8 ") {
    Bytes canvas;
    append_little(canvas, kHasAlpha, 4);
    append_little(canvas, static_cast<uint32_t>(bare.width - 1), 3);
    append_little(canvas, static_cast<uint32_t>(bare.height - 1), 3);
    append_chunk(chunks, "VP8X", canvas);
    append_chunk(chunks, "ALPH", alpha);
  }
  append_chunk(chunks, coding, pixels);
  append_chunk(bare.file, "RIFF", chunks);
  return bare;
}

}  // namespace bifrons
