// The rows of `bifrons bench` about drawing: the loop of the engine, everything in it.
#pragma once

#include "tools/bifrons/bench_case.h"

namespace bifrons {

// For each of options.pictures a row `drawing step, N pictures`, a step of lanes with its draw and
// what the host does; and for pictures that are drawn whole a row `N pictures at once`, from their
// prompts to their last codes, pixels not counted. Bytes and flops of either are those of steps.
void measure_drawing(Bench& bench);

}  // namespace bifrons
