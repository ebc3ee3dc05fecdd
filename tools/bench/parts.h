// The measurements of `bifrons bench`: each adds rows to the report.
#pragma once

#include "tools/bench/case.h"

namespace bifrons {

// Number of prompt tokens in the measurements.
inline constexpr int64_t kBenchPrompt = 64;

// steps.cpp. A row for each of options.rows: the model's part of a decode step, without sampling.
// Only the first one and the current one hold memory.
void measure_steps(Bench& bench);

// steps.cpp. Prefill of one sequence of kBenchPrompt tokens, as in drawing.
void measure_prefill(Bench& bench);

// drawing.cpp. For each of options.pictures, a row `drawing step, N pictures`: a decode step of the
// engine's loop, with sampling and the work of the host. If pictures are drawn whole, also a row `N
// pictures at once`: from the prompts to the last codes, without pixels. Bytes and FLOPs of both
// are those of the steps.
void measure_drawing(Bench& bench);

// vq.cpp. Whole VQ decodes, one after another; the host waits for each. Also the shares of
// convolutions and group norms, from decodes that are timed op by op. On a device also a row for
// each number of pictures that drawing may decode in one pass, with whether their bits are as
// alone.
void measure_vq(Bench& bench);

// speculate.cpp. Speculative decoding of one picture: a row `pass, N columns` for windows from 1 to
// 64 columns, and with a model directory rows `picture, plain` and `picture, speculate N`. All are
// measured in turns.
void measure_speculation(Bench& bench);

// understanding.cpp, `--understand`. Encoding one picture (on a CPU compared with the GEMMs of a
// library), and decoding one text token compared with the bandwidth. Random weights where the model
// lacks them, or those of options.model.
void measure_understanding(Bench& bench);

}  // namespace bifrons
