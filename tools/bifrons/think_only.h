// `bifrons generate --think-only`.
#pragma once

#include <vector>

#include "tools/bifrons/generate.h"

namespace bifrons::cli {

// Writes the thoughts of the requests to stdout, in their order, or one JSON object with all.
// Returns the exit code. Throws what drawing throws.
int write_thoughts(const Generate& generate, Engine& engine,
                   const std::vector<DrawRequest>& requests);

}  // namespace bifrons::cli
