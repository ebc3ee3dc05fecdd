// Runs decode steps, a prefill and VQ decodes, each beside its floor.
#include "tools/bifrons/bench_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "kernels/timed_backend.h"
#include "src/engine/open_device.h"
#include "src/model/model.h"
#include "src/model/rope.h"
#include "src/weights/checkpoint.h"
#include "tools/bifrons/bench_sight.h"

namespace bifrons {
namespace {

constexpr int64_t kPrefillTokens = 64;

template <typename Run>
double seconds_of(Run run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One case that is run again and again, with the work the verbs counted for one run.
struct Case {
  std::string name;
  std::function<void(Backend&)> run;
  std::vector<double> seconds;
  Meter::Count work;
};

// Buffers of a decode step of `rows` rows at one position, and the step itself: what drawing does
// between two codes, without the draw (spec 4.4).
class StepRig {
 public:
  StepRig(Backend& b, Model& model, int64_t rows, int64_t context) : model_(model), rows_(rows) {
    const TransformerConfig& t = model.config.transformer;
    const auto inverse = inverse_frequencies(t.rope_theta, t.head_dim, false);
    memory_ = model.transformer.make_memory(b, rows, context + 1, inverse);
    activations_ = model.transformer.make_activations(b, rows);
    face_ = model.face.make_activations(b, (rows + 1) / 2);
    x_ = b.allocate(rows * t.hidden * size_of(model.activation));
    counters_ = b.allocate(2 * rows * size_of(DType::kI32));
    std::vector<int32_t> values(2 * rows, static_cast<int32_t>(context));
    for (int64_t i = 0; i < rows; ++i) values[i] = static_cast<int32_t>(i);
    b.upload(counters_.view(DType::kI32, {2 * rows}), values.data());
  }

  void step(Backend& b) {
    const ImageFaceWeights& w = model_.face.weights();
    const ImageFaceActivations a = face_.rows(rows_);
    const Tensor x = x_.view(model_.activation, {rows_, model_.config.transformer.hidden});
    const TokenRows rows{counters_.view(DType::kI32, {rows_}),
                         counters_.view(DType::kI32, {rows_}, rows_ * size_of(DType::kI32))};
    model_.face.embed_codes(b, x, a);
    model_.transformer.forward(b, x, rows, memory_, activations_);
    b.rms_norm(a.hidden, x, model_.transformer.weights().final_norm,
               model_.config.transformer.norm_eps);
    b.linear(a.inner, a.hidden, w.head_in);
    b.gelu(a.inner, a.inner);
    b.linear(a.logits, a.inner, w.head_out);
  }

 private:
  Model& model_;
  int64_t rows_;
  SequenceMemory memory_;
  TransformerActivations activations_;
  ImageFaceActivations face_;
  Buffer x_, counters_;
};

// Prompt tokens of one sequence in one call.
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
  SequenceMemory memory_;
  TransformerActivations activations_;
  Buffer x_, counters_;
};

// Runs all cases in turns, so that a disturbance of the machine hits each of them, with a
// measurement of the bandwidth at the start of every turn.
std::vector<double> run_in_turns(Backend& b, std::vector<Case>& cases, int repeats,
                                 const std::function<double()>& bandwidth) {
  std::vector<std::unique_ptr<Recording>> recordings;
  for (Case& c : cases) {
    c.run(b);  // warm-up
    recordings.push_back(b.record([&c, &b] { c.run(b); }));
    b.meter().reset();
    recordings.back()->run();
    b.synchronize();
    c.work = b.meter().total();
  }
  std::vector<double> bandwidths;
  for (int i = 0; i < repeats; ++i) {
    bandwidths.push_back(bandwidth());
    for (size_t c = 0; c < cases.size(); ++c) {
      cases[c].seconds.push_back(seconds_of([&] {
        recordings[c]->run();
        b.synchronize();
      }));
    }
  }
  return bandwidths;
}

BenchRow row_of(const Case& c, double bandwidth) {
  BenchRow row;
  row.name = c.name;
  row.milliseconds = 1e3 * median(c.seconds);
  row.fastest_milliseconds = 1e3 * *std::min_element(c.seconds.begin(), c.seconds.end());
  row.bytes = c.work.bytes;
  row.flops = c.work.flops;
  row.bandwidth = bandwidth;
  return row;
}

// Where the time of a case goes: a row for each verb, the most expensive first.
void add_verbs(Backend& b, const Case& c, int repeats, BenchReport& report) {
  constexpr auto kVerbs = static_cast<size_t>(Verb::kCount);
  TimedBackend timed(b);
  std::vector<Case> parts(kVerbs);
  for (int i = 0; i < repeats; ++i) {
    timed.reset();
    timed.meter().reset();
    c.run(timed);
    for (size_t v = 0; v < kVerbs; ++v) {
      const Verb verb = static_cast<Verb>(v);
      parts[v].name = fmt::format("  {}", name_of(verb));
      parts[v].seconds.push_back(timed.seconds(verb));
      parts[v].work = timed.meter().of(verb);
    }
  }
  std::erase_if(parts, [](const Case& part) { return part.work.calls == 0; });
  std::sort(parts.begin(), parts.end(),
            [](const Case& x, const Case& y) { return median(x.seconds) > median(y.seconds); });
  for (const Case& part : parts) report.rows.push_back(row_of(part, report.bandwidth));
}

void measure_vq(Backend& b, Model& model, const BenchOptions& options, BenchReport& report) {
  const int64_t n = model.config.image_tokens(), size = model.decoder.image_size();
  const Buffer codes = b.allocate(n * size_of(DType::kI32)), pixels = b.allocate(size * size * 3);
  std::vector<int32_t> ids(n);
  for (int64_t i = 0; i < n; ++i) ids[i] = static_cast<int32_t>(31 * i % model.config.vq.codebook);
  const Tensor code = codes.view(DType::kI32, {n});
  const Tensor pixel = pixels.view(DType::kU8, {size, size, 3});
  b.upload(code, ids.data());

  TimedBackend timed(b);
  Case whole{fmt::format("VQ decode {}x{}", size, size), {}, {}, {}};
  std::vector<double> convolutions, norms;
  model.decoder.decode(b, pixel, code);
  b.meter().reset();
  for (int i = 0; i < std::max(3, options.repeats / 2); ++i) {
    timed.reset();
    timed.meter().reset();
    whole.seconds.push_back(seconds_of([&] { model.decoder.decode(timed, pixel, code); }));
    convolutions.push_back(timed.seconds(Verb::kConv2d) + timed.seconds(Verb::kConv2dAdd));
    norms.push_back(timed.seconds(Verb::kGroupNorm));
  }
  whole.work = timed.meter().total();
  BenchRow row = row_of(whole, 0);
  row.ratio = paired_ratio(whole.seconds, convolutions);
  row.ratio_to = "its convolutions alone";
  report.rows.push_back(row);

  Case convolution{"  its convolutions", {}, convolutions, {}};
  convolution.work.flops =
      timed.meter().of(Verb::kConv2d).flops + timed.meter().of(Verb::kConv2dAdd).flops;
  report.rows.push_back(row_of(convolution, 0));
  Case norm{"  its group norms", {}, norms, {}};
  norm.work = timed.meter().of(Verb::kGroupNorm);
  report.rows.push_back(row_of(norm, report.bandwidth));
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

std::unique_ptr<ReadBandwidth> read_bandwidth_of(Backend& backend, const BenchOptions& options) {
  return backend.place() == Place::kHost ? make_cpu_read_bandwidth(options.threads)
                                         : make_cuda_read_bandwidth(backend);
}

BenchReport measure(const BenchOptions& options,
                    const std::function<void(const std::string&)>& say) {
  const auto backend = open_device(options.device, options.threads).backend;
  std::unique_ptr<Model> model;
  BenchReport report;
  if (options.model.empty()) {
    say(fmt::format("making random weights of the shape {}", options.shape));
    model = random_model(*backend, shape_named(options.shape), DType::kBf16, 1);
    report.model = options.shape + ", random bf16 weights";
  } else {
    const Checkpoint checkpoint = Checkpoint::open(options.model);
    model = load_model(*backend, read_config(options.model), checkpoint, options.model);
    report.model = options.model;
  }
  report.device = fmt::format("{} {}", backend->name(), backend->description());

  std::vector<std::unique_ptr<StepRig>> steps;
  std::unique_ptr<PrefillRig> prefill;
  std::vector<Case> cases;
  if (options.decode) {
    for (int64_t rows : options.rows) {
      steps.push_back(std::make_unique<StepRig>(*backend, *model, rows, options.context));
      cases.push_back({fmt::format("decode step, {} row{}", rows, rows == 1 ? "" : "s"),
                       [rig = steps.back().get()](Backend& b) { rig->step(b); },
                       {},
                       {}});
    }
  }
  if (options.prefill) {
    prefill = std::make_unique<PrefillRig>(*backend, *model, kPrefillTokens);
    cases.push_back({fmt::format("prefill, {} tokens", kPrefillTokens),
                     [rig = prefill.get()](Backend& b) { rig->run(b); },
                     {},
                     {}});
  }
  say("measuring");
  if (options.understand) {
    measure_sight(*backend, *model, options, report);
    return report;
  }
  const auto bandwidth = read_bandwidth_of(*backend, options);
  report.bandwidth =
      median(run_in_turns(*backend, cases, options.repeats, [&] { return bandwidth->measure(); }));
  for (size_t i = 0; i < cases.size(); ++i) {
    BenchRow row = row_of(cases[i], report.bandwidth);
    if (options.decode && i > 0 && i < options.rows.size()) {
      row.ratio = paired_ratio(cases[i].seconds, cases[0].seconds);
      row.ratio_to = cases[0].name;
    }
    report.rows.push_back(row);
    if (options.verbs) add_verbs(*backend, cases[i], options.repeats, report);
  }
  if (options.vq) measure_vq(*backend, *model, options, report);
  return report;
}

}  // namespace bifrons
