// The settings of the picture of --like, from our own record or from another program's text.
#pragma once

#include <string>

#include "tools/bifrons/settings.h"

namespace bifrons::cli {

struct LikeSettings {
  Settings settings;
  std::string warning;  // what was taken from another program's text; empty: our own record
};

// Our record, when the picture has one. Else the A1111 text (`parameters`), a JSON object in its
// place, or the sampler in ComfyUI's graph of nodes: every setting that a prompt file can have, by
// any of its names, if it is in range. Throws Error (data) naming `name`: a damaged record, control
// characters in a prompt, or nothing that can be taken.
LikeSettings settings_like(const PictureMetadata& metadata, const std::string& name);

}  // namespace bifrons::cli
