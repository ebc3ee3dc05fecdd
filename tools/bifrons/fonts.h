// Finds fonts on this machine for captions in any script.
#pragma once

#include <string>
#include <vector>

#include "vision/pictures/typesetter.h"

namespace bifrons::cli {

// A typesetter that has every character of `texts`. It tries `font` first if it is not empty, then
// the fonts under /usr/share/fonts, /usr/local/share/fonts and those of `home`. Damaged ones of
// these are skipped. All glyphs have been drawn once. Throws Error: missing if no font has one of
// the characters, which it names, or if there is no font; data if `font` is damaged, is not a font
// or has none of the characters.
Typesetter typesetter_for(const std::vector<std::string>& texts, const std::string& font,
                          const std::string& home);

}  // namespace bifrons::cli
