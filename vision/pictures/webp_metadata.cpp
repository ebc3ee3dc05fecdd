// Inserts and reads RIFF chunks of WebP files.
#include "vision/pictures/webp_metadata.h"

#include "kernels/bytes.h"
#include "kernels/error.h"

namespace bifrons {
namespace {

constexpr size_t kChunksFrom = 12;  // "RIFF", size 4, "WEBP"
constexpr uint8_t kHasXmp = 0x04;
constexpr uint8_t kHasExif = 0x08;

void append_chunk(Bytes& out, std::string_view name, ByteView data) {
  append(out, name);
  append_little(out, static_cast<uint32_t>(data.size()), 4);
  append(out, data);
  if (data.size() % 2) out.push_back(0);  // chunks begin at even offsets
}

}  // namespace

void insert_webp_blocks(std::vector<uint8_t>& webp, int64_t width, int64_t height,
                        std::span<const uint8_t> exif, std::string_view xmp) {
  check(starts_with(webp, 0, "RIFF") && starts_with(webp, 8, "WEBPVP8") &&
            !starts_with(webp, 8, "WEBPVP8X"),
        "insert_webp_blocks: not a simple WebP");
  Bytes features;
  append_little(features, kHasXmp | kHasExif, 4);
  append_little(features, static_cast<uint32_t>(width - 1), 3);
  append_little(features, static_cast<uint32_t>(height - 1), 3);
  Bytes chunks;
  append(chunks, "WEBP");
  append_chunk(chunks, "VP8X", features);
  append(chunks, ByteView(webp).subspan(kChunksFrom));
  append_chunk(chunks, "EXIF", exif);
  append_chunk(chunks, "XMP ", ByteView(reinterpret_cast<const uint8_t*>(xmp.data()), xmp.size()));
  Bytes file;
  append_chunk(file, "RIFF", chunks);
  webp = std::move(file);
}

WebpBlocks read_webp_blocks(std::span<const uint8_t> webp) {
  if (!starts_with(webp, 0, "RIFF") || !starts_with(webp, 8, "WEBP")) {
    throw Error(ErrorKind::kData, "this is not a WebP file");
  }
  WebpBlocks found;
  size_t at = kChunksFrom;
  while (at < webp.size()) {
    if (webp.size() - at < 8 || read_little(webp, at + 4, 4) > webp.size() - at - 8) {
      throw Error(ErrorKind::kData, "the WebP file ends early");
    }
    const size_t length = read_little(webp, at + 4, 4);
    const ByteView data = webp.subspan(at + 8, length);
    if (starts_with(webp, at, "VP8X") && length >= 10) {
      found.width = read_little(data, 4, 3) + 1;
      found.height = read_little(data, 7, 3) + 1;
    }
    if (starts_with(webp, at, "EXIF")) found.exif = data;
    if (starts_with(webp, at, "XMP ")) found.xmp = as_text(data);
    at += 8 + length + length % 2;
  }
  return found;
}

}  // namespace bifrons
