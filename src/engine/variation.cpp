// The codes of a picture that a variation keeps.
#include "src/variation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/error.h"
#include "kernels/sampling.h"
#include "vision/pictures/resize.h"

namespace bifrons {
namespace {

int64_t side_of(std::span<const int32_t> tokens) {
  int64_t side = 0;
  while (side * side < static_cast<int64_t>(tokens.size())) ++side;
  check(side * side == static_cast<int64_t>(tokens.size()), "keep: tokens of a square grid");
  return side;
}

}  // namespace

Picture fitted(const Picture& picture, int64_t size) {
  check(picture.width > 0 && picture.height > 0 && size > 0, "fitted: a picture has pixels");
  const int64_t shorter = std::min(picture.width, picture.height);
  const int64_t width = picture.width * size / shorter, height = picture.height * size / shorter;
  return resize_bicubic(picture, width, height,
                        {(width - size) / 2, (height - size) / 2, size, size});
}

std::vector<int32_t> keep_rows(std::span<const int32_t> tokens, int64_t rows) {
  const int64_t side = side_of(tokens);
  if (rows < 0 || rows > side) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} rows to keep, but this model's pictures have {} rows of tokens",
                            rows, side));
  }
  std::vector<int32_t> fixed(tokens.begin(), tokens.end());
  std::fill(fixed.begin() + rows * side, fixed.end(), -1);
  return fixed;
}

std::vector<int32_t> keep_share(std::span<const int32_t> tokens, double share, uint64_t seed) {
  check(share >= 0 && share <= 1, "keep_share: a share is from 0 to 1");
  std::vector<uint32_t> words;
  for (size_t i = 0; i < tokens.size(); ++i) {
    words.push_back(philox({static_cast<uint32_t>(i), 0, kKeptTokenStream, 0},
                           {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)})[0]);
  }
  std::vector<size_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return words[a] < words[b]; });
  order.resize(static_cast<size_t>(std::lround(share * static_cast<double>(tokens.size()))));
  std::vector<int32_t> fixed(tokens.size(), -1);
  for (const size_t i : order) fixed[i] = tokens[i];
  return fixed;
}

std::vector<int32_t> keep_dark(std::span<const int32_t> tokens, const Picture& mask) {
  const int64_t side = side_of(tokens);
  check(mask.width == mask.height && mask.width % side == 0 && mask.width > 0,
        "keep_dark: a square mask of whole cells");
  const int64_t cell = mask.width / side;
  std::vector<int32_t> fixed(tokens.begin(), tokens.end());
  for (int64_t i = 0; i < side * side; ++i) {
    const int64_t top = i / side * cell, left = i % side * cell;
    int64_t sum = 0;
    for (int64_t y = top; y < top + cell; ++y) {
      const auto row = mask.rgb.begin() + (y * mask.width + left) * 3;
      sum = std::accumulate(row, row + cell * 3, sum);
    }
    if (2 * sum >= 255 * 3 * cell * cell) fixed[i] = -1;
  }
  return fixed;
}

}  // namespace bifrons
