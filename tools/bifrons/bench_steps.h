// The rows of `bifrons bench` about the transformer alone.
#pragma once

#include "tools/bifrons/bench_case.h"

namespace bifrons {

// A row for each of options.rows: what a step runs through the model, without the draw. Only the
// first one and the one being measured have memory.
void measure_steps(Bench& bench);

// A 64-token prompt of one sequence, as drawing runs it.
void measure_prefill(Bench& bench);

// Tokens of the prompts that are measured.
inline constexpr int64_t kBenchPrompt = 64;

}  // namespace bifrons
