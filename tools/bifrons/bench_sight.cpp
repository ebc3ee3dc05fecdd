// The tower with its aligner, a text step, and what each is held against.
#include "tools/bifrons/bench_sight.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "kernels/cpu/yardstick.h"
#include "kernels/timed_backend.h"
#include "src/model/rope.h"
#include "src/model/text_face.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

template <typename Run>
double seconds_of(Run run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

BenchRow row_of(const std::string& name, const std::vector<double>& seconds,
                const Meter::Count& work, double bandwidth) {
  BenchRow row;
  row.name = name;
  row.milliseconds = 1e3 * median(seconds);
  row.fastest_milliseconds = 1e3 * *std::min_element(seconds.begin(), seconds.end());
  row.bytes = work.bytes;
  row.flops = work.flops;
  row.bandwidth = bandwidth;
  return row;
}

// Every product of the tower and the aligner.
void add_products(cpu::Yardstick& yardstick, const TowerConfig& t, int64_t hidden) {
  const int64_t n = t.tokens();
  yardstick.add_linear(n, t.patch_values(), t.width);
  for (int64_t l = 0; l < t.layers; ++l) {
    yardstick.add_linear(n, t.width, 3 * t.width);
    yardstick.add_batch(t.heads, n, t.width / t.heads, n);
    yardstick.add_batch(t.heads, n, n, t.width / t.heads);
    yardstick.add_linear(n, t.width, t.width);
    yardstick.add_linear(n, t.width, t.mlp_width);
    yardstick.add_linear(n, t.mlp_width, t.width);
  }
  yardstick.add_linear(n, t.width, hidden);
  yardstick.add_linear(n, hidden, hidden);
}

// One row behind `context` tokens: embedding, layers, norm, text head.
class TextStep {
 public:
  TextStep(Backend& b, Model& model, const TextFace& face, int64_t context)
      : model_(model), face_(face) {
    const TransformerConfig& t = model.config.transformer;
    memory_ = model.transformer.make_memory(b, 1, context + 1,
                                            inverse_frequencies(t.rope_theta, t.head_dim, false));
    activations_ = model.transformer.make_activations(b, 1);
    rows_ = b.allocate(2 * t.hidden * size_of(model.activation));
    logits_ = b.allocate(t.vocabulary * size_of(DType::kF32));
    counters_ = b.allocate(3 * size_of(DType::kI32));
    const int32_t values[3] = {static_cast<int32_t>(t.vocabulary / 2), 0,
                               static_cast<int32_t>(context)};
    b.upload(counters_.view(DType::kI32, {3}), values);
  }

  void run(Backend& b) const {
    const TransformerConfig& t = model_.config.transformer;
    const auto counter = [this](int64_t i) { return counters_.view(DType::kI32, {1}, 4 * i); };
    const Tensor rows = rows_.view(model_.activation, {2, t.hidden});
    const Tensor x = rows.slice_rows(0, 1), hidden = rows.slice_rows(1, 1);
    b.gather(x, model_.transformer.weights().token_embedding, counter(0));
    model_.transformer.forward(b, x, {counter(1), counter(2)}, memory_, activations_);
    b.rms_norm(hidden, x, model_.transformer.weights().final_norm, t.norm_eps);
    face_.read_out(b, logits_.view(DType::kF32, {1, t.vocabulary}), hidden);
  }

 private:
  Model& model_;
  const TextFace& face_;
  SequenceMemory memory_;
  TransformerActivations activations_;
  Buffer rows_, logits_, counters_;
};

std::unique_ptr<TextFace> face_for(Backend& b, const Model& model, const BenchOptions& options) {
  if (options.model.empty()) return random_text_face(b, model.config, DType::kBf16, 2);
  return load_text_face(b, model.config, Checkpoint::open(options.model), options.model);
}

}  // namespace

void measure_sight(Backend& b, Model& model, const BenchOptions& options, BenchReport& report) {
  const std::unique_ptr<TextFace> face = face_for(b, model, options);
  const TowerConfig& tower = face->tower().config();
  const int64_t hidden = model.config.transformer.hidden;
  const Buffer buffer = b.allocate(tower.tokens() * hidden * size_of(model.activation));
  const Tensor rows = buffer.view(model.activation, {tower.tokens(), hidden});
  const TextStep step(b, model, *face, tower.tokens() + options.context);
  const auto bandwidth = read_bandwidth_of(b, options);
  cpu::Yardstick yardstick(options.threads);
  add_products(yardstick, tower, hidden);

  TimedBackend timed(b);
  const auto look = [&](Backend& on) { face->see(on, rows); };
  Meter::Count looked, stepped;
  std::vector<double> looks, products, steps, bandwidths;
  for (int i = -1; i < options.repeats; ++i) {  // the first is for warming up
    b.meter().reset();
    const double a = seconds_of([&] { look(b); });
    looked = b.meter().total();
    const double p = cpu::Yardstick::available() ? yardstick.measure() : 0;
    const double width = bandwidth->measure();
    b.meter().reset();
    const double s = seconds_of([&] { step.run(b); });
    stepped = b.meter().total();
    if (i < 0) continue;
    looks.push_back(a);
    products.push_back(p);
    steps.push_back(s);
    bandwidths.push_back(width);
  }
  report.bandwidth = median(bandwidths);
  BenchRow row =
      row_of(fmt::format("look at {0}x{0}, {1} tokens", tower.image_size, tower.tokens()), looks,
             looked, 0);
  if (cpu::Yardstick::available()) {
    row.ratio = paired_ratio(looks, products);
    row.ratio_to = "oneDNN's products alone";
  }
  report.rows.push_back(row);
  if (options.verbs) {
    look(timed);
    for (size_t v = 0; v < static_cast<size_t>(Verb::kCount); ++v) {
      const Verb verb = static_cast<Verb>(v);
      const Meter::Count work = timed.meter().of(verb);
      if (work.calls == 0) continue;
      report.rows.push_back(
          row_of(fmt::format("  {}", name_of(verb)), {timed.seconds(verb)}, work, 0));
    }
  }
  if (cpu::Yardstick::available()) {
    report.rows.push_back(row_of("  oneDNN's products", products, {1, 0, looked.flops}, 0));
  }
  report.rows.push_back(
      row_of(fmt::format("say one token, {} before", tower.tokens() + options.context), steps,
             stepped, report.bandwidth));
}

}  // namespace bifrons
