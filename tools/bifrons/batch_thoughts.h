// `bifrons batch --think-only`.
#pragma once

#include "tools/bifrons/batch.h"

namespace bifrons::cli {

// Writes the thought of each picture to stdout, as a line of a prompt file that --think draws from.
// Bad lines go to stderr. Returns the exit code. Throws Error: usage (an option that needs
// pictures), and what a batch throws.
int write_batch_thoughts(const BatchArguments& arguments);

}  // namespace bifrons::cli
