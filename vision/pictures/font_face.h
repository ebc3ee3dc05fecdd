// One font file, read as data from anyone: any bytes give glyphs, no font, or an Error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

// The ink of a glyph, 0 to 255 a pixel; its upper left corner lies at (left, top) from the pen, y
// downwards.
struct GlyphInk {
  int width = 0, height = 0, left = 0, top = 0;
  std::vector<uint8_t> ink;  // width * height
};

class FontFace {
 public:
  explicit FontFace(std::vector<uint8_t> file) : file_(std::move(file)) {}
  virtual ~FontFace() = default;
  FontFace(const FontFace&) = delete;
  FontFace& operator=(const FontFace&) = delete;

  std::span<const uint8_t> file() const { return file_; }
  // 0: the font does not have the code point.
  virtual int glyph_of(int point) const = 0;
  virtual int advance_of(int glyph) const = 0;  // font units; 0 for a glyph that is not there
  // From the lowest descender to the highest ascender, in font units; at least 1.
  virtual int height() const = 0;
  // `size` pixels are height() units. Throws Error (data): the glyph is damaged, or more than
  // kLargestGlyph times as large as the font says its letters are.
  virtual GlyphInk draw(int glyph, int64_t size) const = 0;

 private:
  std::vector<uint8_t> file_;
};

// Of height(): no sign of any script is wider, and a damaged font asks for gigabytes.
constexpr int kLargestGlyph = 32;

// The first font of the file. Null: this is no font that this build can draw; drawable_fonts() says
// which it can. CMake picks face_freetype.cpp or face_plain.cpp.
std::unique_ptr<FontFace> open_font(std::vector<uint8_t> file);
std::string_view drawable_fonts();

// Our own reader, for builds without FreeType: TrueType outlines, alone or in a collection.
std::unique_ptr<FontFace> open_truetype(std::vector<uint8_t> file);

}  // namespace bifrons
