// EXIF and XMP in a WebP file, which needs its extended (VP8X) form.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

// Rewrites a file of one simple picture, `width` x `height`, as an extended one with both blocks.
void insert_webp_blocks(std::vector<uint8_t>& webp, int64_t width, int64_t height,
                        std::span<const uint8_t> exif, std::string_view xmp);

struct WebpBlocks {
  int64_t width = 0;  // 0 when the file is not of the extended form
  int64_t height = 0;
  std::span<const uint8_t> exif;  // views into the file
  std::string_view xmp;
};

// Throws Error (data) for what is not a WebP file or ends early.
WebpBlocks read_webp_blocks(std::span<const uint8_t> webp);

}  // namespace bifrons
