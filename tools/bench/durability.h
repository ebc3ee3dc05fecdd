// What `bifrons bench batch --durability DIR` measures: what it costs that no kill loses a picture.
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
  double percent = 0;          // what durability adds to the plain run
};

// Draws the pictures of `options` with its last number of lanes and keeps them in a directory of
// its own in `directory`, which is removed again. Throws Error: the directory cannot be written, a
// picture fails.
DurabilityReport measure_durability(const BatchBenchOptions& options, const std::string& directory,
                                    const std::function<void(const std::string&)>& say);

std::string table_of(const DurabilityReport& report);

}  // namespace bifrons
