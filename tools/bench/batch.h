// Measurement of `bifrons bench batch`: pictures per second for several numbers of lanes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

struct BatchBenchOptions {
  EngineOptions engine;
  std::vector<int> lanes{1, 2, 4, 8, 16};
  std::vector<std::string> prompts;  // used in turn; if empty, a short list of various lengths
  int64_t pictures = 32;             // per measurement
  int repeats = 3;
};

// Result for one number of lanes; times are those of the median run.
struct BatchBenchRow {
  BatchStats stats;
  double pictures_per_second = 0;
  double cpu_seconds = 0;  // of all threads of the process, for the whole run
  double ratio = 0;        // pictures per second relative to the first row, median of paired runs
};

struct BatchBenchReport {
  std::string device;
  std::string model;
  int64_t image_tokens = 0;
  uint64_t hash = 0;  // of all codes; must be the same in every row
  std::vector<BatchBenchRow> rows;
};

// The jobs of a measurement: prompts in turn, seeds from 0 on. `options` must outlive it.
JobSource bench_jobs(const BatchBenchOptions& options);

// Throws Error (failed) if two numbers of lanes give different pictures, or if a picture fails.
BatchBenchReport measure_batch(const BatchBenchOptions& options,
                               const std::function<void(const std::string&)>& report_progress);

// The lines of `text`, each up to its first tab: a prompt file, or the table of PartiPrompts.
// Throws Error (data) with `file` if there are none.
std::vector<std::string> read_prompts(const std::string& text, const std::string& file);

std::string table_of(const BatchBenchReport& report);

struct DurabilityReport;  // tools/bench/durability.h
std::string json_of(const BatchBenchReport& report,
                    const std::optional<DurabilityReport>& durability);

}  // namespace bifrons
