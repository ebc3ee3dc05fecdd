// EXIF and XMP in a JPEG file: APP1 segments put in behind any encoder, and read back.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

// Puts both blocks right after the start-of-image marker. A block that does not fit the 64 KiB of
// a segment is left out: a lost comment is better than a lost picture.
void insert_jpeg_blocks(std::vector<uint8_t>& jpeg, std::span<const uint8_t> exif,
                        std::string_view xmp);

struct JpegBlocks {
  int64_t width = 0;
  int64_t height = 0;
  std::span<const uint8_t> exif;  // views into the file
  std::string_view xmp;
};

// Throws Error (data) for what is not a JPEG or ends before its pixels.
JpegBlocks read_jpeg_blocks(std::span<const uint8_t> jpeg);

}  // namespace bifrons
