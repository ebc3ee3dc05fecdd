// A font file from an untrusted source: any bytes give glyphs, no font, or an Error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

// Coverage of a glyph, 0 to 255 per pixel. Its upper left corner is at (left, top) relative to the
// pen, y downwards.
struct GlyphBitmap {
  int width = 0, height = 0, left = 0, top = 0;
  std::vector<uint8_t> coverage;  // width * height
};

class FontFace {
 public:
  explicit FontFace(std::vector<uint8_t> file) : file_(std::move(file)) {}
  virtual ~FontFace() = default;
  FontFace(const FontFace&) = delete;
  FontFace& operator=(const FontFace&) = delete;

  std::span<const uint8_t> file() const { return file_; }
  // 0 if the font lacks the code point.
  virtual int glyph_of(int point) const = 0;
  virtual int advance_of(int glyph) const = 0;  // font units; 0 for an invalid glyph
  // Distance from the lowest descender to the highest ascender in font units; at least 1.
  virtual int height() const = 0;
  // Draws the glyph so that height() is `size` pixels. Throws Error (data) if the glyph is damaged,
  // or more than kLargestGlyph times as large as height().
  virtual GlyphBitmap draw(int glyph, int64_t size) const = 0;

 private:
  std::vector<uint8_t> file_;
};

// In units of height(). No glyph of any script is wider, and a damaged font could ask for
// gigabytes.
constexpr int kLargestGlyph = 32;

// Opens the first font of the file. Returns null if this build cannot draw it; drawable_fonts()
// names the formats that it can. CMake compiles face_freetype.cpp or face_plain.cpp.
std::unique_ptr<FontFace> open_font(std::vector<uint8_t> file);
std::string_view drawable_fonts();

// The reader for builds without FreeType: TrueType outlines, single fonts or collections.
std::unique_ptr<FontFace> open_truetype(std::vector<uint8_t> file);

}  // namespace bifrons
