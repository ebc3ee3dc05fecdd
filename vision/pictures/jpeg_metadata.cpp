// Reads JPEG segments up to the first scan; the rest of the file is not read.
#include "vision/pictures/jpeg_metadata.h"

#include "kernels/bytes.h"
#include "kernels/error.h"

namespace bifrons {
namespace {

constexpr std::string_view kExifName("Exif\0\0", 6);
constexpr std::string_view kXmpName("http://ns.adobe.com/xap/1.0/\0", 29);
constexpr size_t kSegmentRoom = 0xffff - 2;

void append_segment(Bytes& out, std::string_view name, ByteView data) {
  if (name.size() + data.size() > kSegmentRoom) return;
  append_big(out, 0xffe1, 2);
  append_big(out, static_cast<uint32_t>(name.size() + data.size() + 2), 2);
  append(out, name);
  append(out, data);
}

// Start-of-frame markers of all codings. C4, C8 and CC are other markers in the same range.
bool is_frame(uint32_t marker) {
  return marker >= 0xffc0 && marker <= 0xffcf && marker != 0xffc4 && marker != 0xffc8 &&
         marker != 0xffcc;
}

}  // namespace

void insert_jpeg_blocks(std::vector<uint8_t>& jpeg, std::span<const uint8_t> exif,
                        std::string_view xmp) {
  check(starts_with(jpeg, 0, "\xff\xd8"), "insert_jpeg_blocks: not a JPEG");
  Bytes segments;
  append_segment(segments, kExifName, exif);
  append_segment(segments, kXmpName,
                 ByteView(reinterpret_cast<const uint8_t*>(xmp.data()), xmp.size()));
  jpeg.insert(jpeg.begin() + 2, segments.begin(), segments.end());
}

JpegBlocks read_jpeg_blocks(std::span<const uint8_t> jpeg) {
  if (!starts_with(jpeg, 0, "\xff\xd8")) throw Error(ErrorKind::kData, "this is not a JPEG file");
  JpegBlocks found;
  size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    const uint32_t marker = read_big(jpeg, at, 2);
    const size_t length = read_big(jpeg, at + 2, 2);
    if (marker == 0xffda) return found;
    if (marker < 0xff00 || length < 2 || length > jpeg.size() - at - 2) break;
    const ByteView data = jpeg.subspan(at + 4, length - 2);
    if (is_frame(marker) && data.size() >= 5) {
      found.height = read_big(data, 1, 2);
      found.width = read_big(data, 3, 2);
    } else if (marker == 0xffe1 && starts_with(data, 0, kExifName)) {
      found.exif = data.subspan(kExifName.size());
    } else if (marker == 0xffe1 && starts_with(data, 0, kXmpName)) {
      found.xmp = as_text(data.subspan(kXmpName.size()));
    }
    at += 2 + length;
  }
  throw Error(ErrorKind::kData, "the JPEG file is damaged near byte " + std::to_string(at));
}

}  // namespace bifrons
