// Measurement of `bifrons bench batch --durability DIR`: the cost of durable files.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tools/bench/batch.h"

namespace bifrons {

// Seconds of the whole run, medians; percent is the median over paired runs.
struct DurabilityReport {
  int lanes = 0;
  int64_t pictures = 0;
  double plain_seconds = 0;    // files written and closed
  double durable_seconds = 0;  // synced, renamed into place and listed, as `bifrons batch` does
  double percent = 0;          // extra time of durability relative to the plain run
};

// Draws the pictures of `options` with its last number of lanes and writes them to a temporary
// directory in `directory`. Throws Error if the directory cannot be written or a picture fails.
DurabilityReport measure_durability(const BatchBenchOptions& options, const std::string& directory,
                                    const std::function<void(const std::string&)>& report_progress);

std::string table_of(const DurabilityReport& report);

}  // namespace bifrons
