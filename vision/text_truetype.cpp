// Glyphs from stb_truetype, placed by shaping.h.
#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb_truetype.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cmath>

#include "vision/shaping.h"
#include "vision/typesetter.h"

namespace bifrons {
namespace {

// Code points of valid UTF-8.
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
    std::vector<uint8_t> file;
    stbtt_fontinfo info{};
  };
  std::vector<std::unique_ptr<Font>> all;

  size_t count() const override { return all.size(); }
  std::span<const uint8_t> file(size_t font) const override { return all[font]->file; }
  int glyph_of(size_t font, int point) const override {
    return stbtt_FindGlyphIndex(&all[font]->info, point);
  }
  int advance_of(size_t font, int glyph) const override {
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(&all[font]->info, glyph, &advance, &bearing);
    return advance;
  }
  double scale(size_t font, int64_t size) const {
    return stbtt_ScaleForPixelHeight(&all[font]->info, static_cast<float>(size));
  }
};

Typesetter::Typesetter() : fonts_(std::make_unique<Fonts>()) {}
Typesetter::~Typesetter() = default;
Typesetter::Typesetter(Typesetter&&) noexcept = default;

bool Typesetter::add_font(std::vector<uint8_t> file) {
  auto font = std::make_unique<Fonts::Font>();
  font->file = std::move(file);
  if (font->file.size() < 12) return false;
  const int offset = stbtt_GetFontOffsetForIndex(font->file.data(), 0);
  if (offset < 0 || stbtt_InitFont(&font->info, font->file.data(), offset) == 0) return false;
  fonts_->all.push_back(std::move(font));
  return true;
}

bool Typesetter::covers(std::string_view text) const {
  const std::vector<int> points = points_of(text);
  return std::all_of(points.begin(), points.end(),
                     [this](int point) { return fonts_->font_of(point) < fonts_->count(); });
}

int64_t Typesetter::width(std::string_view text, int64_t size) const {
  double x = 0;
  for (const PlacedGlyph& g : shaped(points_of(text), *fonts_)) {
    x += g.advance * fonts_->scale(g.font, size);
  }
  return static_cast<int64_t>(x + 1);
}

void Typesetter::draw(Picture& picture, int64_t x, int64_t y, std::string_view text,
                      int64_t size) const {
  double pen = static_cast<double>(x);
  for (const PlacedGlyph& g : shaped(points_of(text), *fonts_)) {
    const double scale = fonts_->scale(g.font, size);
    const auto pixels = static_cast<float>(scale);
    int width = 0, height = 0, left = 0, top = 0;
    unsigned char* ink = stbtt_GetGlyphBitmap(&fonts_->all[g.font]->info, pixels, pixels, g.glyph,
                                              &width, &height, &left, &top);
    const auto from_x = static_cast<int64_t>(pen + g.x * scale) + left;
    const int64_t from_y = y - static_cast<int64_t>(std::lround(g.y * scale)) + top;
    for (int row = 0; ink != nullptr && row < height; ++row) {
      for (int column = 0; column < width; ++column) {
        const int64_t px = from_x + column, py = from_y + row;
        if (px < 0 || py < 0 || px >= picture.width || py >= picture.height) continue;
        uint8_t* rgb = picture.rgb.data() + (py * picture.width + px) * 3;
        const int paper = 255 - ink[row * width + column];
        for (int channel = 0; channel < 3; ++channel) {
          rgb[channel] = static_cast<uint8_t>(rgb[channel] * paper / 255);
        }
      }
    }
    stbtt_FreeBitmap(ink, nullptr);
    pen += g.advance * scale;
  }
}

}  // namespace bifrons
