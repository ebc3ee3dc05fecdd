// Pillow's two passes, horizontal and then vertical, with its fixed-point weights, so the bytes are
// equal. Pillow 12.2 and later resize some tall pictures vertically first. The models were made
// with the order used here.
#include "vision/pictures/resize.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace bifrons {
namespace {

// Weights are fixed-point numbers with 22 fraction bits: 32 bits minus 8 for the pixel and 2 for
// overshoot.
constexpr int kWeightBits = 22;
constexpr double kReach = 2.0;  // radius of the filter, in pixels of the smaller grid

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

// Filter taps of one output pixel: weights of input pixels first, first + 1, .. of a line.
struct Taps {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

// Taps of output pixels begin .. begin + count - 1.
std::vector<Taps> taps_for(int64_t from, int64_t to, int64_t begin, int64_t count) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0);
  const double support = kReach * stretch;
  std::vector<Taps> all(count);
  for (int64_t i = 0; i < count; ++i) {
    const double center = (static_cast<double>(begin + i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(from, static_cast<int64_t>(center + support + 0.5));
    std::vector<double> exact;
    double sum = 0.0;
    for (int64_t j = first; j < end; ++j) {
      exact.push_back(cubic((static_cast<double>(j) - center + 0.5) * (1.0 / stretch)));
      sum += exact.back();
    }
    all[i].first = first;
    for (double weight : exact) {
      if (sum != 0.0) weight /= sum;
      const double fixed = weight * (1 << kWeightBits);
      all[i].weights.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return all;
}

// Computes one output pixel: weighted sums of three channels. Input pixels are `step` bytes apart.
void blend(uint8_t* to, const uint8_t* from, int64_t step, const std::vector<int32_t>& weights) {
  int32_t sum[3] = {1 << (kWeightBits - 1), 1 << (kWeightBits - 1), 1 << (kWeightBits - 1)};
  for (const int32_t weight : weights) {
    for (int c = 0; c < 3; ++c) sum[c] += from[c] * weight;
    from += step;
  }
  for (int c = 0; c < 3; ++c) {
    to[c] = static_cast<uint8_t>(std::clamp<int32_t>(sum[c] >> kWeightBits, 0, 255));
  }
}

// Horizontal pass over lines `first` to `end`; line `first` becomes line 0 of the result.
Picture resize_across(const Picture& picture, const std::vector<Taps>& taps, int64_t first,
                      int64_t end) {
  const auto width = static_cast<int64_t>(taps.size());
  Picture out{width, end - first, std::vector<uint8_t>(width * (end - first) * 3)};
  for (int64_t y = first; y < end; ++y) {
    const uint8_t* line = picture.rgb.data() + y * picture.width * 3;
    uint8_t* to = out.rgb.data() + (y - first) * width * 3;
    for (int64_t x = 0; x < width; ++x) {
      blend(to + 3 * x, line + 3 * taps[x].first, 3, taps[x].weights);
    }
  }
  return out;
}

// Vertical pass. The taps refer to a picture whose line `first` is line 0 of `picture`.
Picture resize_down(const Picture& picture, const std::vector<Taps>& taps, int64_t first) {
  const auto height = static_cast<int64_t>(taps.size());
  const int64_t pitch = picture.width * 3;
  Picture out{picture.width, height, std::vector<uint8_t>(pitch * height)};
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* top = picture.rgb.data() + (taps[y].first - first) * pitch;
    for (int64_t x = 0; x < pitch; x += 3) {
      blend(out.rgb.data() + y * pitch + x, top + x, pitch, taps[y].weights);
    }
  }
  return out;
}

// Copies a part of the picture.
Picture cut_out(const Picture& picture, const Window& window) {
  Picture out{window.width, window.height, {}};
  out.rgb.reserve(window.width * window.height * 3);
  for (int64_t y = window.top; y < window.top + window.height; ++y) {
    const uint8_t* from = picture.rgb.data() + (y * picture.width + window.left) * 3;
    out.rgb.insert(out.rgb.end(), from, from + window.width * 3);
  }
  return out;
}

}  // namespace

Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height) {
  return resize_bicubic(picture, width, height, {0, 0, width, height});
}

Picture resize_bicubic(const Picture& picture, int64_t width, int64_t height,
                       const Window& window) {
  check(picture.width > 0 && picture.height > 0 && width > 0 && height > 0,
        "resize: a picture has pixels");
  check(static_cast<int64_t>(picture.rgb.size()) == picture.width * picture.height * 3,
        "resize: three bytes a pixel");
  check(window.left >= 0 && window.top >= 0 && window.width > 0 && window.height > 0 &&
            window.left + window.width <= width && window.top + window.height <= height,
        "resize: the window lies inside");
  // A dimension that keeps its length is not filtered. The horizontal pass only computes the lines
  // that the vertical pass needs.
  const bool down = height != picture.height;
  int64_t first = window.top, end = window.top + window.height;
  std::vector<Taps> rows;
  if (down) {
    rows = taps_for(picture.height, height, window.top, window.height);
    first = rows.front().first;
    end = rows.back().first + static_cast<int64_t>(rows.back().weights.size());
  }
  const Picture across =
      width == picture.width
          ? cut_out(picture, {window.left, first, window.width, end - first})
          : resize_across(picture, taps_for(picture.width, width, window.left, window.width), first,
                          end);
  return down ? resize_down(across, rows, first) : across;
}

}  // namespace bifrons
