// The settings of a picture to be like, ours or what another program wrote into it.
#pragma once

#include <string>

#include "tools/bifrons/settings.h"

namespace bifrons::cli {

struct LikeSettings {
  Settings settings;
  std::string warning;  // what was taken from another program's text; empty: it is our own picture
};

// Our record, when the picture has one. Else the text that A1111 and those after it call
// `parameters`, a JSON object there, or the sampler in ComfyUI's graph of nodes: prompt, negative
// prompt, seed, guidance, temperature, top-k and top-p by any of their names, as far as they are
// there and in range. Throws Error (data) naming `name`: a damaged record, control characters in a
// prompt, or nothing that can be taken.
LikeSettings settings_like(const PictureMetadata& metadata, const std::string& name);

}  // namespace bifrons::cli
