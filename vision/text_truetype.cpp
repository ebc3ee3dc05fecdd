// Glyphs from stb_truetype; the first font that has a sign draws it.
#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stb_truetype.h>
#pragma GCC diagnostic pop

#include <algorithm>

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

struct Typesetter::Font {
  std::vector<uint8_t> file;
  stbtt_fontinfo info{};
};

struct Typesetter::Sign {
  const Font* font = nullptr;  // nullptr: no font has it
  int glyph = 0;
};

Typesetter::Typesetter() = default;
Typesetter::~Typesetter() = default;
Typesetter::Typesetter(Typesetter&&) noexcept = default;

bool Typesetter::add_font(std::vector<uint8_t> file) {
  auto font = std::make_unique<Font>();
  font->file = std::move(file);
  if (font->file.size() < 12) return false;
  const int offset = stbtt_GetFontOffsetForIndex(font->file.data(), 0);
  if (offset < 0 || stbtt_InitFont(&font->info, font->file.data(), offset) == 0) return false;
  fonts_.push_back(std::move(font));
  return true;
}

std::vector<Typesetter::Sign> Typesetter::signs_of(std::string_view text) const {
  std::vector<Sign> signs;
  for (const int point : points_of(text)) {
    Sign sign;
    for (const auto& font : fonts_) {
      const int glyph = stbtt_FindGlyphIndex(&font->info, point);
      if (glyph == 0) continue;
      sign = {font.get(), glyph};
      break;
    }
    signs.push_back(sign);
  }
  return signs;
}

bool Typesetter::covers(std::string_view text) const {
  const std::vector<Sign> signs = signs_of(text);
  return std::all_of(signs.begin(), signs.end(),
                     [](const Sign& sign) { return sign.font != nullptr; });
}

int64_t Typesetter::width(std::string_view text, int64_t size) const {
  double x = 0;
  for (const Sign& sign : signs_of(text)) {
    if (sign.font == nullptr) continue;
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(&sign.font->info, sign.glyph, &advance, &bearing);
    x += advance * stbtt_ScaleForPixelHeight(&sign.font->info, static_cast<float>(size));
  }
  return static_cast<int64_t>(x + 1);
}

void Typesetter::draw(Picture& picture, int64_t x, int64_t y, std::string_view text,
                      int64_t size) const {
  double pen = static_cast<double>(x);
  for (const Sign& sign : signs_of(text)) {
    if (sign.font == nullptr) continue;
    const stbtt_fontinfo& info = sign.font->info;
    const float scale = stbtt_ScaleForPixelHeight(&info, static_cast<float>(size));
    int width = 0, height = 0, left = 0, top = 0, advance = 0, bearing = 0;
    unsigned char* ink =
        stbtt_GetGlyphBitmap(&info, scale, scale, sign.glyph, &width, &height, &left, &top);
    for (int row = 0; ink != nullptr && row < height; ++row) {
      for (int column = 0; column < width; ++column) {
        const int64_t px = static_cast<int64_t>(pen) + left + column, py = y + top + row;
        if (px < 0 || py < 0 || px >= picture.width || py >= picture.height) continue;
        uint8_t* rgb = picture.rgb.data() + (py * picture.width + px) * 3;
        const int paper = 255 - ink[row * width + column];
        for (int channel = 0; channel < 3; ++channel) {
          rgb[channel] = static_cast<uint8_t>(rgb[channel] * paper / 255);
        }
      }
    }
    stbtt_FreeBitmap(ink, nullptr);
    stbtt_GetGlyphHMetrics(&info, sign.glyph, &advance, &bearing);
    pen += advance * scale;
  }
}

}  // namespace bifrons
