// Closed outlines of straight lines and quadratic curves to ink.
#pragma once

#include <vector>

#include "vision/pictures/font_face.h"

namespace bifrons {

struct OutlinePoint {
  double x = 0, y = 0;
  bool on_curve = true;
};
// Points of TrueType: between two that are off the curve lies one that is on it.
using Contour = std::vector<OutlinePoint>;

// How much of each pixel lies inside, for coordinates in pixels, y upwards. All must be finite and
// lie within a few thousand pixels of the pen.
GlyphInk ink_of(const std::vector<Contour>& contours);

}  // namespace bifrons
