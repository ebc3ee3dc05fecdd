// The parts of `bifrons bench`: each adds rows to the report.
#pragma once

#include "tools/bench/case.h"

namespace bifrons {

// Tokens of the prompts that are measured.
inline constexpr int64_t kBenchPrompt = 64;

// steps.cpp. A row for each of options.rows: what a decode step runs through the model, without
// sampling. Only the first one and the one being measured hold memory.
void measure_steps(Bench& bench);

// steps.cpp. Prefill of one sequence of kBenchPrompt tokens, as drawing runs it.
void measure_prefill(Bench& bench);

// drawing.cpp. For each of options.pictures a row `drawing step, N pictures`: a step of the
// engine's own loop, with sampling and the host's work. For pictures that are drawn whole a row `N
// pictures at once`: from their prompts to their last codes, pixels not counted. Bytes and FLOPs of
// both are those of the steps.
void measure_drawing(Bench& bench);

// vq.cpp. Whole decodes of one picture, one after another; the host waits for each. Beside them the
// shares of convolutions and group norms, from decodes that are timed op by op.
void measure_vq(Bench& bench);

// understanding.cpp, `--understand`. Encoding one picture, on a CPU beside a library's GEMMs, and
// one token of text beside the bandwidth. Random weights for what the model lacks, or
// options.model's.
void measure_understanding(Bench& bench);

}  // namespace bifrons
