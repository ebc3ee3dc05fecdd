// The settings of the picture of --like, from our own record or from another program's text.
#pragma once

#include <string>

#include "tools/bifrons/settings.h"

namespace bifrons::cli {

struct LikeSettings {
  Settings settings;
  std::string warning;  // settings from another program's text; empty: our own record
};

// Our own record if the picture has one. Otherwise the A1111 text (`parameters`), a JSON object in
// its place, or the sampler in ComfyUI's node graph: every setting that a prompt file can have, by
// any of its names, if it is in range. Throws Error (data) that names `name` for a damaged record,
// for control characters in a prompt, or if there are no settings.
LikeSettings settings_like(const PictureMetadata& metadata, const std::string& name);

}  // namespace bifrons::cli
