// Measurement of `bifrons bench quality`: what settings of weights, KV cache or device do to
// pictures, by teacher forcing (src/engine/quality.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/bifrons.h"
#include "src/engine/quality.h"

namespace bifrons {

// A setting to be compared with the reference.
struct ComparedSetting {
  std::string name;  // as the user wrote it
  EngineOptions engine;
};

struct QualityBenchOptions {
  EngineOptions reference;
  std::vector<ComparedSetting> compared;
  std::vector<std::string> prompts;  // used in turn; if empty, a short list of various lengths
  int64_t pictures = 32;
  uint64_t seed = 0;  // picture i has seed + i
  double guidance = 5;
};

struct QualityBenchRow {
  std::string name;
  QualityReport quality;
};

struct QualityBenchReport {
  std::string device;  // of the reference
  std::string model;
  std::string weights_dtype;
  int64_t image_tokens = 0;
  int64_t pictures = 0;
  uint64_t seed = 0;
  double guidance = 0;
  uint64_t hash = 0;  // of all codes of the reference
  std::vector<QualityBenchRow> rows;
};

// Draws the pictures with the reference, then runs their codes through the reference and each
// compared setting, one setting after another; at most two models are in memory. `report_progress`
// gets progress messages. Throws Error: of Engine::open(), draw_references(), compare_quality().
QualityBenchReport measure_quality(const QualityBenchOptions& options,
                                   const std::function<void(const std::string&)>& report_progress);

std::string table_of(const QualityBenchReport& report);
std::string json_of(const QualityBenchReport& report);

}  // namespace bifrons
