// Measures pictures drawn in lanes. The pictures differ only in their seeds.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/engine/lanes.h"
#include "tools/bench/parts.h"

namespace bifrons {
namespace {

// Most repeats of whole pictures: each takes seconds and averages over its many steps.
constexpr int kMostWhole = 3;

// After this many steps a device has captured the step and chosen its fastest variant, and all
// memory was touched. A CPU only needs the latter.
constexpr int64_t warm_up_steps(bool device) { return device ? 32 : 1; }

std::string words_of(int64_t pictures) {
  return fmt::format("{} picture{}", pictures, pictures == 1 ? "" : "s");
}

// Pictures in lanes of their own, for one of the numbers of pictures.
class DrawingRig {
 public:
  DrawingRig(Backend& b, Model& model, int64_t pictures)
      : b_(b),
        config_(model.config),
        activation_(model.activation),
        position_bytes_(model.transformer.sequence_bytes(1) / kPageTokens),
        lanes_(b, model.config, model.transformer, model.image_head, RopeMode::kF32),
        prompt_(std::min(kBenchPrompt,
                         config_.transformer.max_positions - config_.image_tokens() + 1)) {
    lanes_.reserve(pictures);
    lanes_.make_room(prompt_);
  }

  int64_t steps_of_whole() const { return config_.image_tokens() - 1; }

  // Time from the prompts to the first codes. Each turn uses another first token: otherwise the
  // lanes would find the prompts of the turn before in the prefix cache.
  double start() {
    const int64_t words = config_.transformer.vocabulary;
    std::vector<LanePicture> entering(lanes_.count());
    for (size_t i = 0; i < entering.size(); ++i) {
      GuidedPrompt& p = entering[i].prompt;
      p.seed = entering[i].id = i;
      for (int64_t t = 0; t < prompt_; ++t) {
        const bool word = t > 0 && t + 1 < prompt_;
        p.prompted.push_back(static_cast<int32_t>(word ? 7 * t % words : turn_ % words));
        p.unprompted.push_back(static_cast<int32_t>(word ? 2 % words : turn_ % words));
      }
    }
    ++turn_;
    done_ = 0;
    return seconds_of([&] { lanes_.admit(std::move(entering)); });
  }

  // Time of `count` steps of all pictures, until the device is done.
  double steps(int64_t count) {
    done_ += count;
    return seconds_of([&] {
      for (int64_t i = 0; i < count; ++i) lanes_.step();
      b_.synchronize();
    });
  }

  // Throws Error (data) if a picture did not finish.
  void finish() {
    for (const LanePicture& picture : lanes_.take_finished()) {
      if (picture.finite) continue;
      throw Error(ErrorKind::kData, "the numbers of this model do not stay finite");
    }
    lanes_.clear();
  }

  // Work of one step. `counted`: what the ops counted in all steps since start(). On a device the
  // ops do not know the positions and count attention over the whole cache; this is corrected here.
  Meter::Count work_of_step(const Meter& counted) const {
    const TransformerConfig& t = config_.transformer;
    const int64_t rows = 2 * lanes_.count();
    const int64_t queries = done_ * rows * t.layers * t.heads * t.head_dim;
    const int64_t positions = rows * (done_ * prompt_ + done_ * (done_ + 1) / 2);
    const Meter::Count seen = counted.of(Op::kAttention);
    Meter::Count work = counted.total();
    work.bytes += positions * position_bytes_ + 2 * queries * size_of(activation_) - seen.bytes;
    work.flops += t.layers * 4 * positions * t.heads * t.head_dim - seen.flops;
    return {work.calls / done_, work.bytes / done_, work.flops / done_};
  }

 private:
  Backend& b_;
  const Config& config_;
  DType activation_;
  int64_t position_bytes_;  // of a position's keys and values in all layers
  Lanes lanes_;
  int64_t prompt_;
  int64_t turn_ = 0;
  int64_t done_ = 0;  // steps since start()
};

BenchRow drawing_row(const std::string& name, const std::vector<double>& seconds,
                     const Meter::Count& work, double bandwidth, int64_t codes) {
  BenchRow row = row_of(name, seconds, work, bandwidth);
  row.codes_per_second = static_cast<double>(codes) / (1e-3 * row.milliseconds);
  return row;
}

void draw_whole(Bench& bench, int64_t pictures, DrawingRig& drawing) {
  const int64_t steps = drawing.steps_of_whole();
  std::vector<double> whole, each, bandwidths;
  Meter::Count work;
  for (int i = 0; i < std::min(bench.options.repeats, kMostWhole); ++i) {
    if (i > 0 && bench.late()) break;
    bandwidths.push_back(bench.measure_bandwidth());
    const double first = drawing.start();
    bench.backend.meter().reset();
    const double rest = drawing.steps(steps);
    work = drawing.work_of_step(bench.backend.meter());
    drawing.finish();
    whole.push_back(first + rest);
    each.push_back(rest / static_cast<double>(steps));
  }
  const double bandwidth = median(bandwidths);
  const Meter::Count all{work.calls * steps, work.bytes * steps, work.flops * steps};
  bench.report.rows.push_back(drawing_row(words_of(pictures) + (pictures > 1 ? " at once" : ""),
                                          whole, all, bandwidth, pictures * (steps + 1)));
  bench.report.rows.push_back(drawing_row(fmt::format("drawing step, {}", words_of(pictures)), each,
                                          work, bandwidth, pictures));
}

void draw_some(Bench& bench, int64_t pictures, DrawingRig& drawing) {
  const int64_t steps = std::min<int64_t>(bench.options.repeats, drawing.steps_of_whole());
  std::vector<double> each, bandwidths;
  drawing.start();
  bench.backend.meter().reset();
  for (int64_t i = 0; i < steps; ++i) {
    bandwidths.push_back(bench.measure_bandwidth());
    each.push_back(drawing.steps(1));
  }
  const Meter::Count work = drawing.work_of_step(bench.backend.meter());
  drawing.finish();
  bench.report.rows.push_back(
      drawing_row(fmt::format("drawing step, {}, first {}", words_of(pictures), steps), each, work,
                  median(bandwidths), pictures));
}

}  // namespace

void measure_drawing(Bench& bench) {
  if (bench.model.config.image_tokens() == 1) return;  // there are no steps
  const bool device = bench.backend.memory_space() == MemorySpace::kDevice;
  std::vector<int64_t> counts = bench.options.pictures;
  if (counts.empty()) counts = {1};
  if (bench.options.pictures.empty() && device) counts = {1, 4, 16, 64};
  for (const int64_t pictures : counts) {
    bench.attempt(words_of(pictures), [&] {
      DrawingRig drawing(bench.backend, bench.model, pictures);
      drawing.start();
      drawing.steps(std::min(warm_up_steps(device), drawing.steps_of_whole()));
      drawing.finish();
      if (bench.options.whole.value_or(device)) {
        draw_whole(bench, pictures, drawing);
      } else {
        draw_some(bench, pictures, drawing);
      }
    });
  }
}

}  // namespace bifrons
