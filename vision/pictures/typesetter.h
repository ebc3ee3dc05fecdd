// Captions: draws UTF-8 text into pictures with TrueType and OpenType fonts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vision/pictures/picture.h"

namespace bifrons {

// With HarfBuzz and FriBidi, lines are shaped as their scripts require. Without them, each code
// point is one glyph, from left to right.
class Typesetter {
 public:
  Typesetter();
  ~Typesetter();
  Typesetter(Typesetter&&) noexcept;

  // Accepts any bytes. Returns false if this build cannot draw the font. `name` is its name in
  // messages.
  bool add_font(std::vector<uint8_t> file, std::string name = "given");
  // Whether the fonts together have all code points of a valid UTF-8 text.
  bool covers(std::string_view text) const;

  // Draws all glyphs of a text and discards them, to find a damaged font before it is needed. This
  // function and the next two throw Error (data) with the name of a damaged font.
  void try_out(std::string_view text, int64_t size) const;
  // In pixels, for letters of height `size`.
  int64_t width(std::string_view text, int64_t size) const;
  // Draws in black over the picture. (x, y) is the left end of the baseline. Parts outside of the
  // picture are clipped.
  void draw(Picture& picture, int64_t x, int64_t y, std::string_view text, int64_t size) const;

 private:
  struct Fonts;
  std::unique_ptr<Fonts> fonts_;
};

}  // namespace bifrons
