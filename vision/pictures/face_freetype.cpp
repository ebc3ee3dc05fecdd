// Glyphs from FreeType, whose parsers are made for untrusted fonts. Hinting is off, so programs in
// fonts are not run.
#include <ft2build.h>
// Older releases only find these headers through the macros of ft2build.h.
#include FT_FREETYPE_H
#include FT_OUTLINE_H

#include <new>

#include "kernels/bytes.h"
#include "kernels/error.h"
#include "vision/pictures/font_face.h"

namespace bifrons {
namespace {

[[noreturn]] void refuse(FT_Error error) {
  if (FT_ERROR_BASE(error) == FT_Err_Out_Of_Memory) throw std::bad_alloc();
  throw Error(ErrorKind::kData, "a glyph cannot be read");
}

// FreeType reads more file formats than are accepted here.
bool is_sfnt(std::span<const uint8_t> file) {
  using namespace std::string_view_literals;
  for (const std::string_view magic : {"\0\1\0\0"sv, "true"sv, "OTTO"sv, "ttcf"sv}) {
    if (starts_with(file, 0, magic)) return true;
  }
  return false;
}

class FreeTypeFace final : public FontFace {
 public:
  explicit FreeTypeFace(std::vector<uint8_t> bytes) : FontFace(std::move(bytes)) {
    if (FT_Init_FreeType(&library_) != 0) throw std::bad_alloc();
  }
  ~FreeTypeFace() override {
    if (face_ != nullptr) FT_Done_Face(face_);
    FT_Done_FreeType(library_);
  }

  bool open() {
    const std::span<const uint8_t> bytes = file();
    if (!is_sfnt(bytes) || FT_New_Memory_Face(library_, bytes.data(),
                                              static_cast<FT_Long>(bytes.size()), 0, &face_) != 0) {
      return false;
    }
    return FT_IS_SFNT(face_) && FT_IS_SCALABLE(face_) && face_->units_per_EM > 0 &&
           face_->ascender > face_->descender &&
           face_->units_per_EM <= height() * kLargestGlyph;  // else sizes could overflow
  }

  int glyph_of(int point) const override {
    return static_cast<int>(FT_Get_Char_Index(face_, static_cast<FT_ULong>(point)));
  }

  int advance_of(int glyph) const override {
    const FT_Error error =
        FT_Load_Glyph(face_, static_cast<FT_UInt>(glyph), FT_LOAD_NO_SCALE | FT_LOAD_NO_HINTING);
    return error == 0 ? static_cast<int>(face_->glyph->metrics.horiAdvance) : 0;
  }

  int height() const override { return face_->ascender - face_->descender; }

  GlyphBitmap draw(int glyph, int64_t size) const override {
    FT_Size_RequestRec request = {};
    request.type = FT_SIZE_REQUEST_TYPE_REAL_DIM;  // height() equals `size` pixels
    request.height = static_cast<FT_Long>(size * 64);
    if (const FT_Error error = FT_Request_Size(face_, &request)) refuse(error);
    const FT_Error error =
        FT_Load_Glyph(face_, static_cast<FT_UInt>(glyph), FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP);
    if (error != 0 || face_->glyph->format != FT_GLYPH_FORMAT_OUTLINE) refuse(error);
    FT_BBox box = {};
    FT_Outline_Get_CBox(&face_->glyph->outline, &box);
    const FT_Pos most = size * 64 * kLargestGlyph;
    if (box.xMin < -most || box.yMin < -most || box.xMax > most || box.yMax > most) {
      throw Error(ErrorKind::kData, "a glyph is larger than any letter");
    }
    if (const FT_Error failed = FT_Render_Glyph(face_->glyph, FT_RENDER_MODE_NORMAL)) {
      refuse(failed);
    }
    const FT_Bitmap& bitmap = face_->glyph->bitmap;
    GlyphBitmap out{static_cast<int>(bitmap.width),
                    static_cast<int>(bitmap.rows),
                    face_->glyph->bitmap_left,
                    -face_->glyph->bitmap_top,
                    {}};
    for (unsigned row = 0; row < bitmap.rows; ++row) {
      const unsigned char* from = bitmap.buffer + static_cast<ptrdiff_t>(row) * bitmap.pitch;
      out.coverage.insert(out.coverage.end(), from, from + bitmap.width);
    }
    return out;
  }

 private:
  FT_Library library_ = nullptr;
  FT_Face face_ = nullptr;
};

}  // namespace

std::unique_ptr<FontFace> open_font(std::vector<uint8_t> file) {
  auto face = std::make_unique<FreeTypeFace>(std::move(file));
  return face->open() ? std::move(face) : nullptr;
}

std::string_view drawable_fonts() { return "TrueType or OpenType font with outlines"; }

}  // namespace bifrons
