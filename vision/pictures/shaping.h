// Which glyphs a line of text is made of, and where. CMake picks shaping_harfbuzz.cpp or
// shaping_plain.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bifrons {

// The fonts of a line, the first one preferred.
class FontList {
 public:
  virtual ~FontList() = default;
  virtual size_t count() const = 0;
  virtual std::span<const uint8_t> file(size_t font) const = 0;
  // 0: the font does not have the code point.
  virtual int glyph_of(size_t font, int point) const = 0;
  virtual int advance_of(size_t font, int glyph) const = 0;  // font units

  // The first font that has a code point; count(): none has it.
  size_t font_of(int point) const {
    size_t font = 0;
    while (font < count() && glyph_of(font, point) == 0) ++font;
    return font;
  }
};

// One glyph, in units of its font: drawn at (pen + x, y upwards), then the pen moves on.
struct PlacedGlyph {
  size_t font = 0;
  int glyph = 0;
  int x = 0, y = 0, advance = 0;
};

// The glyphs of a line of code points, from left to right; what no font has is left out.
std::vector<PlacedGlyph> shaped(std::span<const int> points, const FontList& fonts);

// Whether letters are joined and lines may run from right to left.
bool shapes_scripts();

}  // namespace bifrons
