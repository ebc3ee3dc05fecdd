// Whether a model has what an edit needs.
#pragma once

#include <string>

#include "src/edit.h"
#include "src/model/config.h"
#include "src/weights/checkpoint.h"

namespace bifrons {

// Throws Error (data) when the model does not see as the style needs it, or has no encoder. Reads
// no weights.
void check_edits(const Config& config, const Checkpoint& checkpoint, const std::string& directory,
                 const EditStyle& style);

}  // namespace bifrons
