// Finds fonts on this machine for captions in any script.
#pragma once

#include <string>
#include <vector>

#include "vision/typesetter.h"

namespace bifrons {

// A typesetter that has every sign of `texts`, from `font` first when it is not empty, then from
// the fonts under /usr/share/fonts, /usr/local/share/fonts and those of `home`. Throws Error
// (missing) saying which sign no font has, or that there is none.
Typesetter typesetter_for(const std::vector<std::string>& texts, const std::string& font,
                          const std::string& home);

}  // namespace bifrons
