// PSNR and SSIM. Sums are in double precision, and the Gaussian window is separable.
#include "vision/pictures/psnr_ssim.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/error.h"

namespace bifrons {
namespace {

struct Plane {
  int64_t width = 0, height = 0;
  std::vector<double> values;
};

void check_alike(const Picture& a, const Picture& b) {
  check(
      a.width == b.width && a.height == b.height && a.rgb.size() == b.rgb.size() && !a.rgb.empty(),
      "psnr and ssim: two pictures of one size");
}

Plane luma(const Picture& picture) {
  Plane plane{picture.width, picture.height, {}};
  for (size_t i = 0; i < picture.rgb.size(); i += 3) {
    plane.values.push_back(0.299 * picture.rgb[i] + 0.587 * picture.rgb[i + 1] +
                           0.114 * picture.rgb[i + 2]);
  }
  return plane;
}

Plane product(const Plane& a, const Plane& b) {
  Plane plane = a;
  for (size_t i = 0; i < plane.values.size(); ++i) plane.values[i] *= b.values[i];
  return plane;
}

std::vector<double> window(int64_t size) {
  constexpr double kSigma = 1.5;
  std::vector<double> weights;
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double x = static_cast<double>(i) - static_cast<double>(size - 1) / 2;
    weights.push_back(std::exp(-x * x / (2 * kSigma * kSigma)));
    sum += weights.back();
  }
  for (double& w : weights) w /= sum;
  return weights;
}

// Windowed means along rows, transposed; only windows that lie inside. Calling it twice gives the
// two-dimensional means.
Plane along_rows_turned(const Plane& from, const std::vector<double>& weights) {
  const int64_t size = static_cast<int64_t>(weights.size());
  Plane to{from.height, from.width - size + 1, {}};
  to.values.resize(to.width * to.height);
  for (int64_t y = 0; y < from.height; ++y) {
    for (int64_t x = 0; x < to.height; ++x) {
      double sum = 0;
      for (int64_t i = 0; i < size; ++i) sum += weights[i] * from.values[y * from.width + x + i];
      to.values[x * to.width + y] = sum;
    }
  }
  return to;
}

std::vector<double> windowed(const Plane& plane) {
  constexpr int64_t kWindow = 11;
  const Plane turned = along_rows_turned(plane, window(std::min(kWindow, plane.width)));
  return along_rows_turned(turned, window(std::min(kWindow, plane.height))).values;
}

}  // namespace

double psnr(const Picture& a, const Picture& b) {
  check_alike(a, b);
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double difference = static_cast<double>(a.rgb[i]) - b.rgb[i];
    sum += difference * difference;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / sum);
}

double ssim(const Picture& a, const Picture& b) {
  check_alike(a, b);
  constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);
  const Plane x = luma(a), y = luma(b);
  const std::vector<double> mean_x = windowed(x), mean_y = windowed(y);
  const std::vector<double> xx = windowed(product(x, x)), yy = windowed(product(y, y)),
                            xy = windowed(product(x, y));
  double sum = 0;
  for (size_t i = 0; i < mean_x.size(); ++i) {
    const double variance_x = xx[i] - mean_x[i] * mean_x[i];
    const double variance_y = yy[i] - mean_y[i] * mean_y[i];
    const double covariance = xy[i] - mean_x[i] * mean_y[i];
    sum +=
        (2 * mean_x[i] * mean_y[i] + kC1) * (2 * covariance + kC2) /
        ((mean_x[i] * mean_x[i] + mean_y[i] * mean_y[i] + kC1) * (variance_x + variance_y + kC2));
  }
  return sum / static_cast<double>(mean_x.size());
}

}  // namespace bifrons
