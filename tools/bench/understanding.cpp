// Measures the tower with its aligner, and a text step, with their baselines.
#include <fmt/format.h>

#include "kernels/cpu/gemm_baseline.h"
#include "src/model/rope.h"
#include "src/model/understanding_model.h"
#include "src/weights/checkpoint.h"
#include "tools/bench/parts.h"

namespace bifrons {
namespace {

// Adds all GEMMs of the tower and the aligner.
void add_products(cpu::GemmBaseline& baseline, const TowerConfig& t, int64_t hidden) {
  const int64_t n = t.tokens();
  baseline.add_linear(n, t.patch_values(), t.width);
  for (int64_t l = 0; l < t.layers; ++l) {
    baseline.add_linear(n, t.width, 3 * t.width);
    baseline.add_batch(t.heads, n, t.width / t.heads, n);
    baseline.add_batch(t.heads, n, n, t.width / t.heads);
    baseline.add_linear(n, t.width, t.width);
    baseline.add_linear(n, t.width, t.mlp_width);
    baseline.add_linear(n, t.mlp_width, t.width);
  }
  baseline.add_linear(n, t.width, hidden);
  baseline.add_linear(n, hidden, hidden);
}

// Decode step of one text token after `context` tokens: embedding, layers, norm, lm_head.
class TextStep {
 public:
  TextStep(Backend& b, Model& model, const UnderstandingModel& understanding, int64_t context)
      : model_(model), understanding_(understanding) {
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
    captured_ = b.capture([this, &b] { forward(b); });
    while (!captured_->settled()) {
      run(b);
      b.synchronize();
    }
  }

  void run(Backend& b) const {
    // Not captured, because the table may be in host memory.
    b.gather(row(0), model_.transformer.weights().token_embedding, counter(0));
    captured_->run();
  }

 private:
  Tensor counter(int64_t i) const { return counters_.view(DType::kI32, {1}, 4 * i); }
  Tensor row(int64_t i) const {
    return rows_.view(model_.activation, {2, model_.config.transformer.hidden}).slice_rows(i, 1);
  }
  void forward(Backend& b) const {
    const TransformerConfig& t = model_.config.transformer;
    model_.transformer.forward(b, row(0), {counter(1), counter(2)}, memory_, activations_);
    b.rms_norm(row(1), row(0), model_.transformer.weights().final_norm, t.norm_eps);
    understanding_.lm_head(b, logits_.view(DType::kF32, {1, t.vocabulary}), row(1));
  }

  Model& model_;
  const UnderstandingModel& understanding_;
  PagedKvCache memory_;
  TransformerActivations activations_;
  Buffer rows_, logits_, counters_;
  std::unique_ptr<CapturedStep> captured_;
};

std::unique_ptr<UnderstandingModel> understanding_for(Backend& b, const Model& model,
                                                      const BenchOptions& options) {
  if (options.model.empty()) return random_understanding(b, model.config, DType::kBf16, 2);
  return load_understanding(b, model.config, Checkpoint::open(options.model), options.model);
}

}  // namespace

void measure_understanding(Bench& bench) {
  Backend& b = bench.backend;
  const Model& model = bench.model;
  const BenchOptions& options = bench.options;
  const std::unique_ptr<UnderstandingModel> understanding = understanding_for(b, model, options);
  const TowerConfig& tower = understanding->tower().config();
  const int64_t hidden = model.config.transformer.hidden;
  const Buffer buffer = b.allocate(tower.tokens() * hidden * size_of(model.activation));
  const Tensor rows = buffer.view(model.activation, {tower.tokens(), hidden});
  const int64_t before = tower.tokens() + options.context;
  const TextStep text(b, bench.model, *understanding, before);
  const bool compared = b.memory_space() == MemorySpace::kHost && cpu::GemmBaseline::available();
  cpu::GemmBaseline baseline(options.threads);
  if (compared) add_products(baseline, tower, hidden);

  Case look(
      b, fmt::format("look at {0}x{0}, {1} tokens", tower.image_size, tower.tokens()),
      [&](Backend& on) { understanding->encode_image(on, rows); }, false);
  Case step(
      b, fmt::format("say one token, {} before", before), [&](Backend& on) { text.run(on); },
      false);
  std::vector<double> looks, products, steps, bandwidths;
  if (compared) baseline.measure();  // warm-up
  for (int i = 0; i < options.repeats; ++i) {
    looks.push_back(look.time());
    if (compared) products.push_back(baseline.measure());
    bandwidths.push_back(bench.measure_bandwidth());
    steps.push_back(step.time());
  }
  BenchRow row = row_of(look.name(), looks, look.work(), 0);
  if (compared) {
    row.ratio = paired_ratio(looks, products);
    row.ratio_to = "oneDNN's products alone";
  }
  bench.report.rows.push_back(row);
  if (options.ops) add_ops(bench, look, 0);
  if (compared) {
    bench.report.rows.push_back(
        row_of("  oneDNN's products", products, {1, 0, look.work().flops}, 0));
  }
  bench.report.rows.push_back(row_of(step.name(), steps, step.work(), median(bandwidths)));
}

}  // namespace bifrons
