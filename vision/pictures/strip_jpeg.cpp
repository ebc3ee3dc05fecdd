// JPEG: checks the chain of segments and copies only those that pixels need.
#include <string>

#include "kernels/error.h"
#include "vision/pictures/exif_xmp.h"
#include "vision/pictures/strip_metadata.h"

namespace bifrons {
namespace {

constexpr std::string_view kExifName("Exif\0\0", 6);
// A complete JFIF segment: version 1.1, square pixels, no thumbnail.
constexpr std::string_view kJfif("\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", 18);
constexpr uint32_t kFirstFrame = 0xc0, kHuffman = 0xc4, kExtension = 0xc8, kArithmetic = 0xcc,
                   kLastFrame = 0xcf, kRestart = 0xd0, kStart = 0xd8, kEnd = 0xd9, kScan = 0xda,
                   kQuantisation = 0xdb, kRestartInterval = 0xdd, kApp0 = 0xe0, kApp1 = 0xe1,
                   kApp14 = 0xee;
// Limit of scans. A progressive picture has about ten, and a decoder processes all coefficients in
// each.
constexpr int kMostScans = 100;

[[noreturn]] void refuse(size_t at) {
  throw Error(ErrorKind::kData, "the JPEG file is damaged near byte " + std::to_string(at));
}

[[noreturn]] void refuse_kind(std::string_view kind) {
  throw Error(ErrorKind::kData, "a " + std::string(kind) +
                                    " JPEG, which is not supported; save it as an ordinary 8-bit "
                                    "RGB or grey one");
}

bool is_frame(uint32_t marker) {
  return marker >= kFirstFrame && marker <= kLastFrame && marker != kHuffman &&
         marker != kExtension && marker != kArithmetic;
}

// Frame header: precision, height, width, then three bytes per component.
void read_frame(StrippedPicture& bare, uint32_t marker, ByteView data, size_t at) {
  if (bare.channels != 0 || data.size() < 6) refuse(at);
  if (marker > kFirstFrame + 2) refuse_kind("lossless, hierarchical or arithmetic-coded");
  bare.height = read_big(data, 1, 2);
  bare.width = read_big(data, 3, 2);
  bare.channels = data[5];
  if (data[0] != 8) refuse_kind("12-bit");
  if (bare.channels == 4) refuse_kind("CMYK");
  if ((bare.channels != 1 && bare.channels != 3) ||
      data.size() != 6 + 3 * static_cast<size_t>(bare.channels)) {
    refuse(at);
  }
  check_picture_size(bare.width, bare.height);
  for (size_t c = 6; c < data.size(); c += 3) {
    const uint32_t across = data[c + 1] >> 4, down = data[c + 1] & 15;
    if (across < 1 || across > 4 || down < 1 || down > 4) refuse(at);
  }
}

// A Huffman segment: tables with class and number, 16 counts of codes by length, and a value per
// code. A table has at most 256 codes, and never more than a prefix code of those lengths allows.
void check_huffman_tables(ByteView data, size_t at) {
  while (!data.empty()) {
    if (data.size() < 17) refuse(at);
    size_t codes = 0, taken = 0;  // codes; space taken, in units of 2^-16
    for (size_t length = 1; length <= 16; ++length) {
      codes += data[length];
      taken += size_t{data[length]} << (16 - length);
    }
    if (codes > 256 || taken > (size_t{1} << 16) || data.size() < 17 + codes) refuse(at);
    data = data.subspan(17 + codes);
  }
}

// The Adobe segment says how colours are coded, and so does the presence of JFIF.
bool pixels_need(uint32_t marker, ByteView data) {
  return is_frame(marker) || marker == kHuffman || marker == kQuantisation ||
         marker == kRestartInterval || marker == kScan ||
         (marker == kApp14 && starts_with(data, 0, "Adobe"));
}

// Returns the end of the coded data of a scan: the first marker that is neither a stuffed FF nor a
// restart marker.
size_t end_of_scan(ByteView file, size_t at) {
  for (; at + 1 < file.size(); ++at) {
    if (file[at] != 0xff || file[at + 1] == 0) continue;
    if (file[at + 1] < kRestart || file[at + 1] >= kStart) return at;
  }
  throw Error(ErrorKind::kData, "the JPEG file ends early");
}

}  // namespace

StrippedPicture strip_jpeg(ByteView file) {
  StrippedPicture bare{.format = PictureFormat::kJpeg, .file = {0xff, kStart}};
  int scans = 0;
  size_t at = 2;
  while (true) {
    if (at + 2 > file.size()) throw Error(ErrorKind::kData, "the JPEG file ends early");
    if (file[at] != 0xff) refuse(at);
    const uint32_t marker = file[at + 1];
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    if (marker == kEnd) break;
    if (marker <= 1 || (marker >= kRestart && marker <= kStart)) refuse(at);
    if (at + 4 > file.size()) throw Error(ErrorKind::kData, "the JPEG file ends early");
    const size_t length = read_big(file, at + 2, 2);
    if (length < 2) refuse(at);
    if (length > file.size() - at - 2) throw Error(ErrorKind::kData, "the JPEG file ends early");
    const ByteView data = file.subspan(at + 4, length - 2);
    size_t next = at + 2 + length;
    if (marker == kHuffman) check_huffman_tables(data, at);
    if (marker == kApp0 && starts_with(data, 0, "JFIF")) append(bare.file, kJfif);
    if (is_frame(marker)) read_frame(bare, marker, data, at);
    if (marker == kApp1 && starts_with(data, 0, kExifName)) {
      bare.orientation = exif_orientation(data.subspan(kExifName.size()));
    }
    if (marker == kScan) {
      if (bare.channels == 0 || ++scans > kMostScans) refuse(at);
      next = end_of_scan(file, next);
    }
    if (pixels_need(marker, data)) append(bare.file, file.subspan(at, next - at));
    at = next;
  }
  if (scans == 0) refuse(at);
  append(bare.file, "\xff\xd9");
  return bare;
}

}  // namespace bifrons
