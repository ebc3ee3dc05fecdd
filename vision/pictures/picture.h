// A picture in memory, and the picture file formats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bifrons {

// 8-bit RGB, rows from top to bottom, no padding: rgb[(y * width + x) * 3 + channel].
struct Picture {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;
};

enum class PictureFormat { kPng, kJpeg, kWebp };

}  // namespace bifrons
