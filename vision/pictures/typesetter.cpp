// Draws text: glyphs of font_face.h at the positions of shaping.h.
#include "vision/pictures/typesetter.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"
#include "vision/pictures/font_face.h"
#include "vision/pictures/shaping.h"

namespace bifrons {
namespace {

// The code points of valid UTF-8.
std::vector<int> points_of(std::string_view text) {
  std::vector<int> points;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    int point = length == 1 ? lead : lead & (0x7f >> length);
    for (size_t k = 1; k < length && i + k < text.size(); ++k) {
      point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    }
    points.push_back(point);
    i += length;
  }
  return points;
}

}  // namespace

struct Typesetter::Fonts final : FontList {
  struct Font {
    std::unique_ptr<FontFace> face;
    std::string name;
  };
  std::vector<Font> all;

  size_t count() const override { return all.size(); }
  std::span<const uint8_t> file(size_t font) const override { return all[font].face->file(); }
  int glyph_of(size_t font, int point) const override { return all[font].face->glyph_of(point); }
  int advance_of(size_t font, int glyph) const override {
    return all[font].face->advance_of(glyph);
  }
  // Pixels per font unit.
  double scale(size_t font, int64_t size) const {
    return static_cast<double>(size) / all[font].face->height();
  }

  [[noreturn]] void refuse(size_t font, const std::string& why) const {
    throw Error(ErrorKind::kData, "the font " + all[font].name + " is damaged: " + why);
  }

  // Shapes a line and refuses invalid positions and advances of a damaged font.
  std::vector<PlacedGlyph> line(std::string_view text) const {
    std::vector<PlacedGlyph> glyphs = shaped(points_of(text), *this);
    for (const PlacedGlyph& g : glyphs) {
      const int64_t most = int64_t{kLargestGlyph} * all[g.font].face->height();
      for (const int64_t value : {g.x, g.y, g.advance}) {
        if (std::abs(value) > most) refuse(g.font, "a glyph is wider than any letter");
      }
    }
    return glyphs;
  }

  GlyphBitmap bitmap(const PlacedGlyph& g, int64_t size) const {
    try {
      return all[g.font].face->draw(g.glyph, size);
    } catch (const Error& error) {
      refuse(g.font, error.what());
    }
  }
};

Typesetter::Typesetter() : fonts_(std::make_unique<Fonts>()) {}
Typesetter::~Typesetter() = default;
Typesetter::Typesetter(Typesetter&&) noexcept = default;

bool Typesetter::add_font(std::vector<uint8_t> file, std::string name) {
  std::unique_ptr<FontFace> face = open_font(std::move(file));
  if (face == nullptr) return false;
  fonts_->all.push_back({std::move(face), std::move(name)});
  return true;
}

bool Typesetter::covers(std::string_view text) const {
  const std::vector<int> points = points_of(text);
  return std::all_of(points.begin(), points.end(),
                     [this](int point) { return fonts_->font_of(point) < fonts_->count(); });
}

void Typesetter::try_out(std::string_view text, int64_t size) const {
  for (const PlacedGlyph& g : fonts_->line(text)) fonts_->bitmap(g, size);
}

int64_t Typesetter::width(std::string_view text, int64_t size) const {
  double x = 0;
  for (const PlacedGlyph& g : fonts_->line(text)) x += g.advance * fonts_->scale(g.font, size);
  return static_cast<int64_t>(x + 1);
}

void Typesetter::draw(Picture& picture, int64_t x, int64_t y, std::string_view text,
                      int64_t size) const {
  double pen = static_cast<double>(x);
  for (const PlacedGlyph& g : fonts_->line(text)) {
    const double scale = fonts_->scale(g.font, size);
    const GlyphBitmap glyph = fonts_->bitmap(g, size);
    const auto from_x = static_cast<int64_t>(pen + g.x * scale) + glyph.left;
    const int64_t from_y = y - static_cast<int64_t>(std::lround(g.y * scale)) + glyph.top;
    for (int row = 0; row < glyph.height; ++row) {
      for (int column = 0; column < glyph.width; ++column) {
        const int64_t px = from_x + column, py = from_y + row;
        if (px < 0 || py < 0 || px >= picture.width || py >= picture.height) continue;
        uint8_t* rgb = picture.rgb.data() + (py * picture.width + px) * 3;
        const int paper = 255 - glyph.coverage[static_cast<size_t>(row) * glyph.width + column];
        for (int channel = 0; channel < 3; ++channel) {
          rgb[channel] = static_cast<uint8_t>(rgb[channel] * paper / 255);
        }
      }
    }
    pen += g.advance * scale;
  }
}

}  // namespace bifrons
