// The hash by which records name the weights that drew a picture.
#pragma once

#include <string>

#include "src/model/config.h"
#include "src/weights/checkpoint.h"

namespace bifrons {

// 16 hex digits. It distinguishes checkpoints without reading gigabytes. Full weights that are
// quantised while loading are other weights.
std::string weights_hash(const Checkpoint& checkpoint, const Config& config);

}  // namespace bifrons
