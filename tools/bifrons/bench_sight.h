// The rows of `bifrons bench --understand`.
#pragma once

#include "tools/bifrons/bench_case.h"

namespace bifrons {

// Looking at one picture, on a CPU beside a library's matrix products, and running one token
// through the model beside the bandwidth. Random weights for what the model is without, or those of
// options.model.
void measure_sight(Bench& bench);

}  // namespace bifrons
