// Opens the device and the model and runs the measurements.
#include "tools/bench/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "kernels/read_bandwidth.h"
#include "src/engine/open_device.h"
#include "src/engine/weight_format.h"
#include "src/weights/checkpoint.h"
#include "tools/bench/parts.h"

namespace bifrons {
namespace {

// Bandwidth of the memory that holds the backend's weights.
std::unique_ptr<ReadBandwidth> read_bandwidth_of(Backend& backend, const BenchOptions& options) {
  return backend.memory_space() == MemorySpace::kHost ? make_cpu_read_bandwidth(options.threads)
                                                      : make_cuda_read_bandwidth(backend);
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double paired_ratio(const std::vector<double>& numerator, const std::vector<double>& denominator) {
  std::vector<double> ratios;
  for (size_t i = 0; i < numerator.size(); ++i) ratios.push_back(numerator[i] / denominator[i]);
  return median(ratios);
}

BenchReport measure(Backend& backend, Model& model, const BenchOptions& options,
                    const ReadSpeed& read_speed) {
  Bench bench{backend, model, options, read_speed, {}, {}};
  if (options.understand) {
    measure_understanding(bench);
  } else {
    if (options.decode) measure_steps(bench);
    if (options.draw) measure_drawing(bench);
    if (options.prefill) measure_prefill(bench);
    if (options.vq) measure_vq(bench);
    if (options.speculate) measure_speculation(bench);
  }
  if (bench.report.rows.empty() && !bench.report.skipped.empty()) {
    throw Error(ErrorKind::kUnavailable, bench.report.skipped.front());
  }
  bench.report.bandwidth = median(bench.bandwidths);
  return std::move(bench.report);
}

BenchReport measure(const BenchOptions& options,
                    const std::function<void(const std::string&)>& report_progress) {
  const auto backend = open_device(options.device, options.threads, false, options.pdl).backend;
  std::unique_ptr<Model> model;
  std::string name = options.model;
  if (options.model.empty()) {
    report_progress(fmt::format("making random weights of the shape {}", options.shape));
    Config config = shape_named(options.shape);
    config.loaded = linear_format(options.weights);
    model = random_model(*backend, config, DType::kBf16, 1);
    name = fmt::format("{}, random {} weights", options.shape,
                       weights_name(config.loaded, DType::kBf16));
  } else {
    const Checkpoint checkpoint = Checkpoint::open(options.model);
    Config config = read_config(options.model);
    config.loaded = format_to_load(config, options.weights, options.model);
    model = load_model(*backend, config, checkpoint, options.model);
  }
  model->transformer.set_int8_kv(options.kv == KvFormat::kInt8);
  if (options.kv == KvFormat::kInt8) name += ", int8 KV cache";
  report_progress("measuring");
  const auto bandwidth = read_bandwidth_of(*backend, options);
  BenchReport report = measure(*backend, *model, options, [&] { return bandwidth->measure(); });
  report.device = fmt::format("{} {}", backend->name(), backend->description());
  report.model = name;
  return report;
}

}  // namespace bifrons
