// The rows of `bifrons bench --understand`.
#pragma once

#include "src/model/model.h"
#include "tools/bifrons/bench_measure.h"

namespace bifrons {

// Looking at one picture beside a library's matrix products, and saying one token beside the
// bandwidth. Random weights for what `model` is without, or those of options.model.
void measure_sight(Backend& b, Model& model, const BenchOptions& options, BenchReport& report);

}  // namespace bifrons
