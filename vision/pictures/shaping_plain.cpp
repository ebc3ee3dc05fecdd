// Fallback for builds without HarfBuzz: one glyph per code point, from left to right.
#include "vision/pictures/shaping.h"

namespace bifrons {

std::vector<PlacedGlyph> shaped(std::span<const int> points, const FontList& fonts) {
  std::vector<PlacedGlyph> line;
  for (const int point : points) {
    const size_t font = fonts.font_of(point);
    if (font == fonts.count()) continue;
    const int glyph = fonts.glyph_of(font, point);
    line.push_back({.font = font, .glyph = glyph, .advance = fonts.advance_of(font, glyph)});
  }
  return line;
}

bool shapes_scripts() { return false; }

}  // namespace bifrons
