// Rasterises closed outlines of lines and quadratic curves.
#pragma once

#include <vector>

#include "vision/pictures/font_face.h"

namespace bifrons {

struct OutlinePoint {
  double x = 0, y = 0;
  bool on_curve = true;
};
// A TrueType contour: two consecutive off-curve points imply an on-curve point between them.
using Contour = std::vector<OutlinePoint>;

// Coverage of each pixel. Coordinates are in pixels, y upwards; they must be finite and within a
// few thousand pixels of the pen.
GlyphBitmap rasterize_outline(const std::vector<Contour>& contours);

}  // namespace bifrons
