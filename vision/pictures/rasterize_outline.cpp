// Exact area coverage. Each line segment adds the area to its right to the pixels of its rows. The
// running sum along a row is the winding number of each pixel.
#include "vision/pictures/rasterize_outline.h"

#include <algorithm>
#include <cmath>

namespace bifrons {
namespace {

class Areas {
 public:
  Areas(int width, int height) : width_(width), height_(height) {
    // One extra column on the right, and one for the spill of a line at the right edge.
    sums_.assign(static_cast<size_t>(width + 2) * height, 0.0);
  }

  // y downwards, within [0, width] x [0, height].
  void line(double x0, double y0, double x1, double y1) {
    if (y0 == y1) return;
    const double sign = y0 < y1 ? 1 : -1;
    if (y0 > y1) {
      std::swap(x0, x1);
      std::swap(y0, y1);
    }
    const double slope = (x1 - x0) / (y1 - y0);
    const int last = std::min(height_ - 1, static_cast<int>(std::ceil(y1)) - 1);
    for (int row = std::max(0, static_cast<int>(y0)); row <= last; ++row) {
      const double from = std::max<double>(row, y0), to = std::min<double>(row + 1, y1);
      if (to > from) {
        span(row, x0 + (from - y0) * slope, x0 + (to - y0) * slope, sign * (to - from));
      }
    }
  }

  std::vector<uint8_t> coverage() const {
    std::vector<uint8_t> out;
    for (int row = 0; row < height_; ++row) {
      double sum = 0;
      for (int column = 0; column < width_; ++column) {
        sum += sums_[at(row, column)];
        out.push_back(static_cast<uint8_t>(std::lround(std::min(1.0, std::fabs(sum)) * 255)));
      }
    }
    return out;
  }

 private:
  size_t at(int row, int column) const { return static_cast<size_t>(row) * (width_ + 2) + column; }

  // A segment from x0 to x1 within one row; `rise` is its height in that row.
  void span(int row, double x0, double x1, double rise) {
    if (x0 > x1) std::swap(x0, x1);
    x0 = std::clamp<double>(x0, 0, width_);
    x1 = std::clamp<double>(x1, 0, width_);
    const int first = static_cast<int>(x0), last = static_cast<int>(x1);
    for (int column = first; column <= last; ++column) {
      const double a = std::max<double>(x0, column), b = std::min<double>(x1, column + 1);
      const double part = x1 > x0 ? rise * (b - a) / (x1 - x0) : rise;
      const double right = column + 1 - (a + b) / 2;  // part of this pixel right of the segment
      sums_[at(row, column)] += part * right;
      sums_[at(row, column + 1)] += part * (1 - right);
    }
  }

  int width_, height_;
  std::vector<double> sums_;
};

OutlinePoint middle(const OutlinePoint& a, const OutlinePoint& b) {
  return {(a.x + b.x) / 2, (a.y + b.y) / 2, true};
}

// The contour with its implied on-curve points; it begins at an on-curve point.
Contour with_all_points(const Contour& contour) {
  Contour out;
  for (size_t i = 0; i < contour.size(); ++i) {
    const OutlinePoint& next = contour[(i + 1) % contour.size()];
    out.push_back(contour[i]);
    if (!contour[i].on_curve && !next.on_curve) out.push_back(middle(contour[i], next));
  }
  const auto first = std::find_if(out.begin(), out.end(), [](auto& p) { return p.on_curve; });
  if (first == out.end()) return {};  // a single off-curve point
  std::rotate(out.begin(), first, out.end());
  out.push_back(out.front());
  return out;
}

// Calls line(from, to) along a contour. Curves become lines that deviate by less than 1/50 pixel.
template <typename F>
void walk(const Contour& contour, F line) {
  const Contour all = with_all_points(contour);
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    if (all[i + 1].on_curve) {
      line(all[i], all[i + 1]);
      continue;
    }
    const OutlinePoint &a = all[i], &b = all[i + 1], &c = all[i + 2];
    const double bend = std::hypot(a.x - 2 * b.x + c.x, a.y - 2 * b.y + c.y);
    const int steps = std::clamp(static_cast<int>(std::sqrt(bend * 12.5)) + 1, 1, 200);
    OutlinePoint from = a;
    for (int step = 1; step <= steps; ++step) {
      const double t = static_cast<double>(step) / steps, s = 1 - t;
      const OutlinePoint to{s * s * a.x + 2 * s * t * b.x + t * t * c.x,
                            s * s * a.y + 2 * s * t * b.y + t * t * c.y, true};
      line(from, to);
      from = to;
    }
    ++i;
  }
}

}  // namespace

GlyphBitmap rasterize_outline(const std::vector<Contour>& contours) {
  double left = 0, right = 0, bottom = 0, top = 0;
  bool any = false;
  for (const Contour& contour : contours) {
    for (const OutlinePoint& p : contour) {
      left = any ? std::min(left, p.x) : p.x;
      right = any ? std::max(right, p.x) : p.x;
      bottom = any ? std::min(bottom, p.y) : p.y;
      top = any ? std::max(top, p.y) : p.y;
      any = true;
    }
  }
  GlyphBitmap out;
  if (!any) return out;
  out.left = static_cast<int>(std::floor(left));
  out.top = -static_cast<int>(std::ceil(top));
  out.width = static_cast<int>(std::ceil(right)) - out.left;
  out.height = -static_cast<int>(std::floor(bottom)) - out.top;
  Areas areas(out.width, out.height);
  for (const Contour& contour : contours) {
    walk(contour, [&](const OutlinePoint& a, const OutlinePoint& b) {
      areas.line(a.x - out.left, -a.y - out.top, b.x - out.left, -b.y - out.top);
    });
  }
  out.coverage = areas.coverage();
  return out;
}

}  // namespace bifrons
