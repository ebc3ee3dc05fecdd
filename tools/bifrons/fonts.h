// Finds fonts on this machine for captions in any script.
#pragma once

#include <string>
#include <vector>

#include "vision/pictures/typesetter.h"

namespace bifrons::cli {

// A typesetter that has every sign of `texts`, from `font` first when it is not empty, then from
// the fonts under /usr/share/fonts, /usr/local/share/fonts and those of `home`; damaged ones of
// these are passed over. All glyphs have been drawn once. Throws Error: missing saying which sign
// no font has, or that there is none; data when `font` is damaged, no font or without any of the
// signs.
Typesetter typesetter_for(const std::vector<std::string>& texts, const std::string& font,
                          const std::string& home);

}  // namespace bifrons::cli
