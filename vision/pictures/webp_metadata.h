// EXIF and XMP in WebP files; both need the extended file format (VP8X).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

// Rewrites a simple WebP file of width x height to the extended format, with both blocks.
void insert_webp_blocks(std::vector<uint8_t>& webp, int64_t width, int64_t height,
                        std::span<const uint8_t> exif, std::string_view xmp);

struct WebpBlocks {
  int64_t width = 0;  // 0 if the file is not in the extended format
  int64_t height = 0;
  std::span<const uint8_t> exif;  // views of the file
  std::string_view xmp;
};

// Throws Error (data) if the file is not a WebP file or is truncated.
WebpBlocks read_webp_blocks(std::span<const uint8_t> webp);

}  // namespace bifrons
