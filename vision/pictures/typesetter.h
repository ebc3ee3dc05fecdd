// Captions: UTF-8 drawn into pictures with TrueType and OpenType fonts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vision/pictures/picture.h"

namespace bifrons {

// Lines are set as their scripts ask for where HarfBuzz and FriBidi are built in; else signs stand
// side by side from left to right, each by itself.
class Typesetter {
 public:
  Typesetter();
  ~Typesetter();
  Typesetter(Typesetter&&) noexcept;

  // Any bytes. False when they are no font that this build can draw. Messages call it `name`.
  bool add_font(std::vector<uint8_t> file, std::string name = "given");
  // Whether the fonts together have every sign of a valid UTF-8 text.
  bool covers(std::string_view text) const;

  // Draws every glyph of a text for nothing, so that a damaged font is found before it is needed.
  // Throws Error (data), as the next two do, saying which font is damaged.
  void try_out(std::string_view text, int64_t size) const;
  // In pixels, for letters `size` high.
  int64_t width(std::string_view text, int64_t size) const;
  // Black on what is there, with the left end of the baseline at (x, y); outside parts are cut off.
  void draw(Picture& picture, int64_t x, int64_t y, std::string_view text, int64_t size) const;

 private:
  struct Fonts;
  std::unique_ptr<Fonts> fonts_;
};

}  // namespace bifrons
