// Fallback for builds without FreeType: face_truetype.cpp reads the fonts.
#include "vision/pictures/font_face.h"

namespace bifrons {

std::unique_ptr<FontFace> open_font(std::vector<uint8_t> file) {
  return open_truetype(std::move(file));
}

std::string_view drawable_fonts() {
  return "TrueType font with outlines (CFF outlines need a build with FreeType)";
}

}  // namespace bifrons
