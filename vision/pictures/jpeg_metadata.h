// EXIF and XMP in JPEG files: APP1 segments, inserted after encoding and read back.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

// Inserts both blocks after the start-of-image marker. A block larger than a segment (64 KiB) is
// left out: losing a comment is better than losing the picture.
void insert_jpeg_blocks(std::vector<uint8_t>& jpeg, std::span<const uint8_t> exif,
                        std::string_view xmp);

struct JpegBlocks {
  int64_t width = 0;
  int64_t height = 0;
  std::span<const uint8_t> exif;  // views of the file
  std::string_view xmp;
};

// Throws Error (data) if the file is not a JPEG or ends before its pixels.
JpegBlocks read_jpeg_blocks(std::span<const uint8_t> jpeg);

}  // namespace bifrons
