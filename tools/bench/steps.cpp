// Measures decode steps and prefill of the transformer, on buffers of its own.
#include <fmt/format.h>

#include "src/model/rope.h"
#include "tools/bench/parts.h"

namespace bifrons {
namespace {

// A decode step of `rows` rows at one position, with its buffers: the work between two codes
// without sampling (docs/janus-pro.md 4.4). No picture needs a single row; it is measured to show
// what the second row of a picture costs.
class StepRig {
 public:
  StepRig(Backend& b, Model& model, int64_t rows, int64_t context) : model_(model), rows_(rows) {
    const TransformerConfig& t = model.config.transformer;
    const auto inverse = inverse_frequencies(t.rope_theta, t.head_dim, false);
    memory_ = model.transformer.make_memory(b, rows, context + 1, inverse);
    activations_ = model.transformer.make_activations(b, rows);
    head_ = model.image_head.make_activations(b, (rows + 1) / 2);
    x_ = b.allocate(rows * t.hidden * size_of(model.activation));
    counters_ = b.allocate(2 * rows * size_of(DType::kI32));
    std::vector<int32_t> values(2 * rows, static_cast<int32_t>(context));
    for (int64_t i = 0; i < rows; ++i) values[i] = static_cast<int32_t>(i);
    b.upload(counters_.view(DType::kI32, {2 * rows}), values.data());
  }

  void step(Backend& b) {
    const ImageHeadWeights& w = model_.image_head.weights();
    const ImageHeadActivations a = head_.rows(rows_);
    const Tensor x = x_.view(model_.activation, {rows_, model_.config.transformer.hidden});
    const TokenRows rows{counters_.view(DType::kI32, {rows_}),
                         counters_.view(DType::kI32, {rows_}, rows_ * size_of(DType::kI32))};
    model_.image_head.embed_codes(b, x, a);
    model_.transformer.forward(b, x, rows, memory_, activations_);
    b.norm_linear_gelu(a.inner, x, model_.transformer.weights().final_norm,
                       model_.config.transformer.norm_eps, w.head_in, a.hidden);
    b.linear(a.logits, a.inner, w.head_out);
  }

 private:
  Model& model_;
  int64_t rows_;
  PagedKvCache memory_;
  TransformerActivations activations_;
  ImageHeadActivations head_;
  Buffer x_, counters_;
};

// Prefill of the prompt tokens of one sequence in one call.
class PrefillRig {
 public:
  PrefillRig(Backend& b, Model& model, int64_t tokens) : model_(model), tokens_(tokens) {
    const TransformerConfig& t = model.config.transformer;
    const auto inverse = inverse_frequencies(t.rope_theta, t.head_dim, false);
    memory_ = model.transformer.make_memory(b, 1, tokens, inverse);
    activations_ = model.transformer.make_activations(b, tokens);
    x_ = b.allocate(tokens * t.hidden * size_of(model.activation));
    counters_ = b.allocate(3 * tokens * size_of(DType::kI32));
    std::vector<int32_t> values(3 * tokens, 0);
    for (int64_t i = 0; i < tokens; ++i) {
      values[i] = static_cast<int32_t>(i);
      values[2 * tokens + i] = static_cast<int32_t>(7 * i % t.vocabulary);
    }
    b.upload(counters_.view(DType::kI32, {3 * tokens}), values.data());
  }

  void run(Backend& b) {
    const auto part = [this](int64_t i) {
      return counters_.view(DType::kI32, {tokens_}, i * tokens_ * size_of(DType::kI32));
    };
    const Tensor x = x_.view(model_.activation, {tokens_, model_.config.transformer.hidden});
    b.gather(x, model_.transformer.weights().token_embedding, part(2));
    model_.transformer.forward(b, x, {part(1), part(0)}, memory_, activations_);
  }

 private:
  Model& model_;
  int64_t tokens_;
  PagedKvCache memory_;
  TransformerActivations activations_;
  Buffer x_, counters_;
};

struct StepCase {
  StepRig rig;
  Case step;

  StepCase(Bench& bench, const std::string& name, int64_t rows)
      : rig(bench.backend, bench.model, rows, bench.options.context),
        step(
            bench.backend, name, [this](Backend& b) { rig.step(b); }, true) {}
};

}  // namespace

void measure_steps(Bench& bench) {
  std::unique_ptr<StepCase> first;
  for (const int64_t rows : bench.options.rows) {
    const std::string name = fmt::format("decode step, {} row{}", rows, rows == 1 ? "" : "s");
    bench.attempt(name, [&] {
      auto now = std::make_unique<StepCase>(bench, name, rows);
      std::vector<double> seconds, firsts, bandwidths;
      for (int i = 0; i < bench.options.repeats; ++i) {
        bandwidths.push_back(bench.measure_bandwidth());
        if (first) firsts.push_back(first->step.time());
        seconds.push_back(now->step.time());
      }
      BenchRow row = row_of(name, seconds, now->step.work(), median(bandwidths));
      if (first) {
        row.ratio = paired_ratio(seconds, firsts);
        row.ratio_to = first->step.name();
      }
      bench.report.rows.push_back(row);
      if (bench.options.ops) add_ops(bench, now->step, row.bandwidth);
      if (!first) first = std::move(now);
    });
  }
}

void measure_prefill(Bench& bench) {
  const std::string name = fmt::format("prefill, {} tokens", kBenchPrompt);
  bench.attempt(name, [&] {
    PrefillRig rig(bench.backend, bench.model, kBenchPrompt);
    Case prefill(
        bench.backend, name, [&rig](Backend& b) { rig.run(b); }, false);
    std::vector<double> seconds, bandwidths;
    for (int i = 0; i < bench.options.repeats; ++i) {
      bandwidths.push_back(bench.measure_bandwidth());
      seconds.push_back(prefill.time());
    }
    const BenchRow row = row_of(name, seconds, prefill.work(), median(bandwidths));
    bench.report.rows.push_back(row);
    if (bench.options.ops) add_ops(bench, prefill, row.bandwidth);
  });
}

}  // namespace bifrons
