// The rows of `bifrons bench` about pixels.
#pragma once

#include "tools/bifrons/bench_case.h"

namespace bifrons {

// Whole decodes of one picture, as drawing has them: one after another, the host waiting for each.
// Beside them the shares of convolutions and group norms, from decodes that are timed op by op.
void measure_vq(Bench& bench);

}  // namespace bifrons
