// Text shaping: the glyphs of a line of text and their positions. CMake compiles
// shaping_harfbuzz.cpp or shaping_plain.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bifrons {

// The fonts of a line, in order of preference.
class FontList {
 public:
  virtual ~FontList() = default;
  virtual size_t count() const = 0;
  virtual std::span<const uint8_t> file(size_t font) const = 0;
  // 0 if the font lacks the code point.
  virtual int glyph_of(size_t font, int point) const = 0;
  virtual int advance_of(size_t font, int glyph) const = 0;  // font units

  // The first font that has the code point; count() if none has it.
  size_t font_of(int point) const {
    size_t font = 0;
    while (font < count() && glyph_of(font, point) == 0) ++font;
    return font;
  }
};

// A glyph in units of its font. It is drawn at (pen + x, y upwards), then the pen advances.
struct PlacedGlyph {
  size_t font = 0;
  int glyph = 0;
  int x = 0, y = 0, advance = 0;
};

// The glyphs of a line of code points from left to right. Code points that no font has are left
// out.
std::vector<PlacedGlyph> shaped(std::span<const int> points, const FontList& fonts);

// Whether this build joins letters and supports lines from right to left.
bool shapes_scripts();

}  // namespace bifrons
