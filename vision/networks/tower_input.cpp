// Preprocessing, step by step as in the original (docs/janus-pro.md 5.1).
#include "vision/networks/tower_input.h"

#include <algorithm>
#include <array>

#include "kernels/error.h"
#include "vision/pictures/resize.h"

namespace bifrons {
namespace {

constexpr int64_t kShortestSide = 14;  // min_size of preprocessor_config.json; it is always 14
constexpr uint8_t kGrey = 127;         // int(0.5 * 255)

// int(side / longest * size) in double arithmetic, as Python computes it.
int64_t scaled(int64_t side, int64_t longest, int64_t size) {
  const double share = static_cast<double>(side) / static_cast<double>(longest);
  const auto pixels = static_cast<int64_t>(share * static_cast<double>(size));
  return std::clamp(pixels, std::min(kShortestSide, size), size);
}

// The value of each byte: rescaled in double, rounded to float, then normalised in float.
std::array<float, 256> values_of_bytes() {
  std::array<float, 256> values{};
  for (int i = 0; i < 256; ++i) {
    const auto rescaled = static_cast<float>(i * 0.00392156862745098);
    values[i] = (rescaled - 0.5f) / 0.5f;
  }
  return values;
}

}  // namespace

Picture squared(const Picture& picture, int64_t size) {
  const int64_t longest = std::max(picture.width, picture.height);
  const Picture small = resize_bicubic(picture, scaled(picture.width, longest, size),
                                       scaled(picture.height, longest, size));
  Picture square{size, size, std::vector<uint8_t>(size * size * 3, kGrey)};
  const int64_t left = (size - small.width) / 2, top = (size - small.height) / 2;
  for (int64_t y = 0; y < small.height; ++y) {
    std::copy_n(small.rgb.data() + y * small.width * 3, small.width * 3,
                square.rgb.data() + ((top + y) * size + left) * 3);
  }
  return square;
}

std::vector<float> patches_of(const Picture& squared, const TowerConfig& config) {
  check(squared.width == config.image_size && squared.height == config.image_size,
        "patches_of: the picture has the tower's size");
  const std::array<float, 256> value = values_of_bytes();
  const int64_t p = config.patch, side = config.image_size;
  std::vector<float> patches;
  patches.reserve(side * side * 3);
  for (int64_t top = 0; top < side; top += p) {
    for (int64_t left = 0; left < side; left += p) {
      for (int64_t c = 0; c < 3; ++c) {
        for (int64_t y = top; y < top + p; ++y) {
          const uint8_t* line = squared.rgb.data() + (y * side + left) * 3 + c;
          for (int64_t x = 0; x < p; ++x) patches.push_back(value[line[3 * x]]);
        }
      }
    }
  }
  return patches;
}

}  // namespace bifrons
