// Measurements of `bifrons bench`: decode steps, drawings and VQ decodes, and memory bandwidth in
// the same process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "src/bifrons.h"
#include "src/model/model.h"

namespace bifrons {

struct BenchOptions {
  std::string shape = "janus-pro-1b";  // random weights of this shape, unless `model` is given
  std::string model;                   // a model directory
  WeightFormat weights = WeightFormat::kStored;
  std::vector<int64_t> rows{1, 2};  // rows of a decode step
  int64_t context = 352;            // tokens already in the cache: a 64-token prompt, half way
  std::vector<int64_t> pictures;    // pictures at once; empty: 1, 4, 16 and 64, on a CPU 1
  std::optional<bool> whole;        // draw whole pictures or some steps; absent: whole on devices
  std::string device = "cpu";       // as in EngineOptions
  int threads = 0;
  std::optional<bool> pdl;  // as in EngineOptions
  KvFormat kv = KvFormat::kStored;
  int repeats = 15;
  std::chrono::steady_clock::time_point until{std::chrono::steady_clock::duration::max()};
  bool decode = true;
  bool draw = true;
  bool prefill = true;
  bool vq = true;
  bool speculate = true;
  bool understand = false;  // measure understanding instead of these five
  bool ops = false;         // also a row for each op of a step
};

// A row of the table. Times are medians over the repeats. `bytes` is what the ops count: weights as
// stored, cache and activations, each once. percent_of_bandwidth() therefore compares with a pure
// read.
struct BenchRow {
  std::string name;
  double milliseconds = 0;
  double fastest_milliseconds = 0;
  int64_t bytes = 0;
  int64_t flops = 0;
  double bandwidth = 0;  // GB/s of a pure read, measured between the repeats; 0: not compared
  double ratio = 0;      // relative to `ratio_to`; 0 if there is nothing to compare with
  std::string ratio_to;
  double codes_per_second = 0;  // of all pictures together; 0 if no codes are sampled
  // Of speculative decoding; 0 in rows of anything else.
  double passes = 0;          // a picture, mean
  double codes_per_pass = 0;  // mean
  double break_even_codes =
      0;  // codes a pass from which passes of this width are faster than plain
  std::optional<bool> same_bits;  // of a VQ decode of several pictures: whether each has its own

  double gigabytes_per_second() const { return bytes / (milliseconds * 1e6); }
  double gigaflops() const { return flops / (milliseconds * 1e6); }
  double percent_of_bandwidth() const {
    return bandwidth > 0 ? 100 * gigabytes_per_second() / bandwidth : 0;
  }
};

struct BenchReport {
  std::string device;
  std::string model;
  double bandwidth = 0;  // GB/s, median of all measurements of the run
  std::vector<BenchRow> rows;
  std::vector<std::string> skipped;  // what lacked memory or time: one sentence each
};

double median(std::vector<double> values);
// Median of the ratios of paired runs. The two runs of a pair suffer the same disturbances.
double paired_ratio(const std::vector<double>& numerator, const std::vector<double>& denominator);

using ReadSpeed = std::function<double()>;  // GB/s of a pure read, measured now; 0: unknown

// Opens the device, loads or makes the model and measures. `report_progress` gets progress
// messages. No measurement begins after options.until. Throws Error: no such device or model;
// unavailable, if no measurement had enough memory or time.
BenchReport measure(const BenchOptions& options,
                    const std::function<void(const std::string&)>& report_progress);

// The same for a model on its backend: returns the rows, the bandwidth and what was skipped.
BenchReport measure(Backend& backend, Model& model, const BenchOptions& options,
                    const ReadSpeed& read_speed);

}  // namespace bifrons
