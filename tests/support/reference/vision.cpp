// Oracle of the ops that work on pictures.
#include <cmath>

#include "tests/support/reference/reference.h"

namespace bifrons::reference {

Values group_norm(const Values& x, const Values& weight, const Values& bias, int64_t groups,
                  double eps, bool silu, DType dtype) {
  const size_t channels = weight.size(), width = channels / groups;
  Values y(x.size());
  for (size_t first = 0; first < channels; first += width) {
    double sum = 0.0, squares = 0.0, count = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
      if (i % channels / width != first / width) continue;
      sum += x[i];
      count += 1.0;
    }
    const double mean = sum / count;
    for (size_t i = 0; i < x.size(); ++i) {
      if (i % channels / width != first / width) continue;
      squares += (x[i] - mean) * (x[i] - mean);
    }
    const double deviation = std::sqrt(squares / count + eps);
    for (size_t i = 0; i < x.size(); ++i) {
      if (i % channels / width != first / width) continue;
      y[i] = (x[i] - mean) / deviation * weight[i % channels] + bias[i % channels];
      if (!silu) continue;
      const double value = rounded(y[i], dtype);
      y[i] = value / (1.0 + std::exp(-value));
    }
  }
  return y;
}

Values conv2d(const Values& x, const Values& weight, const Values& bias, const Values& residual,
              Size size, int64_t in, int64_t out, int64_t kernel, Padding padding, DType dtype) {
  const int64_t stride = padding == Padding::kRightBottom ? 2 : 1;
  const int64_t before = padding == Padding::kSame ? 1 : 0;
  Values y;
  for (int64_t h = 0; h < size.height / stride; ++h) {
    for (int64_t w = 0; w < size.width / stride; ++w) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = bias[o];
        for (int64_t i = 0; i < in * kernel * kernel; ++i) {
          const int64_t channel = i / (kernel * kernel);
          const int64_t row = h * stride + i / kernel % kernel - before;
          const int64_t column = w * stride + i % kernel - before;
          if (row < 0 || row >= size.height || column < 0 || column >= size.width) continue;
          sum +=
              x[(row * size.width + column) * in + channel] * weight[o * in * kernel * kernel + i];
        }
        if (!residual.empty()) sum = rounded(sum, dtype) + residual[y.size()];
        y.push_back(sum);
      }
    }
  }
  return y;
}

Values upsample2x(const Values& x, Size size, int64_t channels) {
  Values y;
  for (int64_t h = 0; h < 2 * size.height; ++h) {
    for (int64_t w = 0; w < 2 * size.width; ++w) {
      for (int64_t c = 0; c < channels; ++c) {
        y.push_back(x[(h / 2 * size.width + w / 2) * channels + c]);
      }
    }
  }
  return y;
}

Values to_pixels(const Values& x) {
  Values pixels;
  for (double v : x) {
    if (std::isnan(v)) {
      pixels.push_back(0.0);
      continue;
    }
    // The contract requires f32 arithmetic, and truncation makes its rounding visible.
    const double half = rounded(rounded(v + 1.0, DType::kF32) / 2.0, DType::kF32);
    pixels.push_back(std::trunc(std::fmin(std::fmax(rounded(half * 255.0, DType::kF32), 0), 255)));
  }
  return pixels;
}

}  // namespace bifrons::reference
