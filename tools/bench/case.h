// Common parts of the measurements of `bifrons bench`.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/bench/measure.h"

namespace bifrons {

// A run of the benchmark; backend, model and options are borrowed.
struct Bench {
  Backend& backend;
  Model& model;
  const BenchOptions& options;
  ReadSpeed read_speed;
  BenchReport report;
  std::vector<double> bandwidths;  // GB/s, all measurements

  // Measures the current read bandwidth in GB/s.
  double measure_bandwidth() { return bandwidths.emplace_back(read_speed()); }

  // Whether the time of the run is over.
  bool late() const { return std::chrono::steady_clock::now() >= options.until; }

  // Runs one measurement. If memory or time is lacking, this is noted in the report and the run
  // goes on.
  void attempt(const std::string& name, const std::function<void()>& part);
};

template <typename Run>
double seconds_of(Run run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// bandwidth: GB/s; 0 if the case is not limited by bandwidth.
BenchRow row_of(const std::string& name, const std::vector<double>& seconds,
                const Meter::Count& work, double bandwidth);

// Time and work of each op in one run, fused kernels included.
struct Profile {
  OpTimes times;
  Meter counted;
};

// Work that is run repeatedly.
class Case {
 public:
  // Warms up, captures `run` if drawing captures it too, and stores what the ops count for it.
  Case(Backend& b, std::string name, std::function<void(Backend&)> run, bool captures);
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  const std::string& name() const { return name_; }
  const Meter::Count& work() const { return work_; }
  // Runs it once, op by op and not as a captured step.
  Profile profile() const;
  // Seconds of a run, until the device is done.
  double time();

 private:
  Backend& b_;
  std::string name_;
  std::function<void(Backend&)> run_;
  std::unique_ptr<CapturedStep> captured_;
  Meter::Count work_;
};

// Adds a row for each op, the most expensive first: its share of the time of the case. Shares and
// not absolute times, because the host waits for the device after each op.
void add_ops(Bench& bench, const Case& c, double bandwidth);

}  // namespace bifrons
