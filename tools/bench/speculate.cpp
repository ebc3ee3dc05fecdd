// Measures speculative decoding of one picture. Passes of every width are timed in turns. Pictures
// of real prompts are drawn only with a model directory: with random weights drafts are right by
// chance.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "src/engine/lanes.h"
#include "src/engine/requests.h"
#include "src/tokenizer/tokenizer.h"
#include "tools/bench/batch.h"
#include "tools/bench/parts.h"

namespace bifrons {
namespace {

constexpr std::array<int64_t, 7> kPassWidths = {1, 2, 4, 8, 16, 32, 64};

// A pass of 64 columns can take seconds on a CPU, so few passes of each width are timed unless one
// of every width takes less than kShortTurn seconds in all.
constexpr int kMostLongPasses = 3;
constexpr double kShortTurn = 0.5;

// A device has captured a step and chosen its fastest variant after so many runs.
constexpr int kDeviceWarmUp = 20;

// Pictures are drawn in turns for about so many seconds, at least kFewestTurns times. Models that
// take longer for that are only drawn with options.whole.
constexpr double kPictureSeconds = 4, kMostPictureSeconds = 12;
constexpr int64_t kFewestTurns = 3;

// One picture in a lane that has memory for windows.
class PictureRig {
 public:
  PictureRig(Backend& b, Model& model)
      : b_(b),
        tokens_(model.config.image_tokens()),
        lanes_(b, model.config, model.transformer, model.image_head, RopeMode::kF32) {
    lanes_.reserve(1, std::min(kMostWindow, tokens_));
  }

  // `width` as in Lanes::set_width().
  void set_width(int64_t width) { lanes_.set_width(width); }

  void start(GuidedPrompt prompt) {
    lanes_.clear();
    lanes_.make_room(static_cast<int64_t>(prompt.prompted.size()));
    std::vector<LanePicture> entering(1);
    entering[0].prompt = std::move(prompt);
    before_ = lanes_.work().step_codes;
    lanes_.admit(std::move(entering));
  }

  // Codes that are not drawn yet, as far as the host has read them.
  int64_t left() const { return tokens_ - 1 - (lanes_.work().step_codes - before_); }

  double pass() {
    return seconds_of([this] {
      lanes_.step();
      b_.synchronize();
    });
  }

  // Removes the picture if it is done. Throws Error (data) if its numbers did not stay finite.
  std::optional<LanePicture> take() {
    std::vector<LanePicture> finished = lanes_.take_finished();
    if (finished.empty()) return {};
    if (finished[0].finite) return std::move(finished[0]);
    throw Error(ErrorKind::kData, "the numbers of this model do not stay finite");
  }

  // Draws the rest of the picture.
  LanePicture finish() {
    while (true) {
      lanes_.step();
      if (auto picture = take()) return std::move(*picture);
    }
  }

 private:
  Backend& b_;
  int64_t tokens_;
  Lanes lanes_;
  int64_t before_ = 0;  // step_codes at the start of the picture
};

// ---- passes ----

struct PassWidth {
  int64_t width = 1;
  std::vector<double> seconds{};
  Meter::Count work{};
};

std::string columns_of(int64_t width) {
  return fmt::format("pass, {} column{}", width, width == 1 ? "" : "s");
}

class PassBench {
 public:
  explicit PassBench(Bench& bench)
      : bench_(bench),
        device_(bench.backend.memory_space() == MemorySpace::kDevice),
        rig_(bench.backend, bench.model) {
    for (const int64_t width : kPassWidths) {
      if (width < bench.model.config.image_tokens()) widths_.push_back({width});
    }
  }

  // Adds the rows. Returns the seconds of a pass without windows.
  double run() {
    std::vector<double> bandwidths;
    double turn = 0;
    for (PassWidth& of : widths_) turn += warm_up(of);
    const bool brief = turn < kShortTurn;
    const int repeats =
        brief ? bench_.options.repeats : std::min(bench_.options.repeats, kMostLongPasses);
    // Caches keep small weights from pass to pass, but not over the measurement of the bandwidth.
    // On a device the first pass of another width also uploads.
    const int before = device_ || brief ? 1 : 0;
    for (int i = 0; i < repeats; ++i) {
      if (i > 0 && bench_.late()) break;
      bandwidths.push_back(bench_.measure_bandwidth());
      for (size_t k = 0; k < widths_.size(); ++k) {  // no width is always the first
        PassWidth& of = widths_[(k + static_cast<size_t>(i)) % widths_.size()];
        of.seconds.push_back(time(of.width, before));
      }
    }
    for (const PassWidth& of : widths_) {
      BenchRow row = row_of(columns_of(of.width), of.seconds, of.work, median(bandwidths));
      if (of.width > 1) {
        row.ratio = paired_ratio(of.seconds, widths_[0].seconds);
        row.ratio_to = columns_of(1);
        row.break_even_codes = row.ratio;
      }
      bench_.report.rows.push_back(row);
    }
    return median(widths_[0].seconds);
  }

 private:
  // Counts the work of a pass. Returns its seconds.
  double warm_up(PassWidth& of) {
    if (device_) time(of.width, kDeviceWarmUp);
    rig_.set_width(of.width);
    make_room(of.width);
    bench_.backend.meter().reset();
    const double seconds = rig_.pass();
    of.work = bench_.backend.meter().total();
    if (!device_) return seconds;
    // A device's ops do not know the positions and count attention over the whole cache.
    const Meter::Count attention = bench_.backend.meter().of(Op::kAttention);
    of.work.bytes -= attention.bytes;
    of.work.flops -= attention.flops;
    return seconds;
  }

  // Seconds of a pass of full width, after `before` others.
  double time(int64_t width, int before) {
    rig_.set_width(width);
    for (int i = 0; i < before; ++i) {
      make_room(width);
      rig_.pass();
    }
    make_room(width);
    return rig_.pass();
  }

  // Begins a new picture when no more than two windows are left of this one: of one of them the
  // host may not have read the codes.
  void make_room(int64_t width) {
    if (!rig_.take() && begun_ && rig_.left() > 2 * width) return;
    rig_.start(prompt());
    begun_ = true;
  }

  GuidedPrompt prompt() {
    const TransformerConfig& t = bench_.model.config.transformer;
    const int64_t tokens =
        std::min(kBenchPrompt, t.max_positions - bench_.model.config.image_tokens() + 1);
    GuidedPrompt p;
    p.seed = turn_++;
    for (int64_t i = 0; i < tokens; ++i) {
      p.prompted.push_back(static_cast<int32_t>(7 * i % t.vocabulary));
      p.unprompted.push_back(static_cast<int32_t>(2 % t.vocabulary));
    }
    return p;
  }

  Bench& bench_;
  bool device_;
  PictureRig rig_;
  std::vector<PassWidth> widths_;
  bool begun_ = false;
  uint64_t turn_ = 0;
};

// ---- pictures ----

// A way to draw a picture. Each has a rig of its own: it finds no prompt of another way in its
// prefix cache, and automatic windows learn from their own passes alone.
struct Way {
  std::string name;
  std::unique_ptr<PictureRig> rig;
  std::vector<double> seconds{};
  int64_t passes = 0;
};

class PictureBench {
 public:
  explicit PictureBench(Bench& bench)
      : bench_(bench),
        tokens_(bench.model.config.image_tokens()),
        tokenizer_(Tokenizer::open(bench.options.model)) {
    add_way("picture, plain", 1);
    // A device has no automatic windows.
    if (bench.backend.memory_space() == MemorySpace::kHost) add_way("picture, speculate auto", 0);
    for (const int64_t width : {4, 8}) add_way(fmt::format("picture, speculate {}", width), width);
  }

  size_t ways() const { return ways_.size(); }

  // Draws `turns` pictures in every way, after one of each that is not timed, and adds the rows.
  // Throws Error (failed) if two ways give different codes.
  void run(int64_t turns) {
    BatchBenchOptions prompts;
    prompts.pictures = turns + 1;
    const JobSource jobs = bench_jobs(prompts);
    int64_t turn = 0;
    while (const auto job = jobs()) {
      if (turn > 1 && bench_.late()) break;
      draw(guided_prompt(tokenizer_, bench_.model.config, job->request), turn++);
    }
    for (const Way& way : ways_) add_row(way);
  }

 private:
  // `width` as in Lanes::set_width().
  void add_way(const std::string& name, int64_t width) {
    ways_.push_back({name, std::make_unique<PictureRig>(bench_.backend, bench_.model)});
    ways_.back().rig->set_width(width);
  }

  // The way that comes first changes from turn to turn. Turn 0 is not timed.
  void draw(const GuidedPrompt& prompt, int64_t turn) {
    std::vector<int32_t> codes;
    for (size_t i = 0; i < ways_.size(); ++i) {
      Way& way = ways_[(i + static_cast<size_t>(turn)) % ways_.size()];
      LanePicture picture;
      const double seconds = seconds_of([&] {
        way.rig->start(prompt);
        picture = way.rig->finish();
        bench_.backend.synchronize();
      });
      if (codes.empty()) codes = picture.codes;
      if (picture.codes != codes) {
        throw Error(ErrorKind::kFailed, way.name + ": drew another picture");
      }
      if (turn == 0) continue;
      way.seconds.push_back(seconds);
      way.passes += picture.passes;
    }
  }

  void add_row(const Way& way) {
    BenchRow row = row_of(way.name, way.seconds, {}, 0);
    row.passes = static_cast<double>(way.passes) / static_cast<double>(way.seconds.size());
    row.codes_per_pass = static_cast<double>(tokens_ - 1) / row.passes;
    row.codes_per_second = static_cast<double>(tokens_) / (1e-3 * row.milliseconds);
    if (&way != &ways_[0]) {
      row.ratio = paired_ratio(way.seconds, ways_[0].seconds);
      row.ratio_to = ways_[0].name;
    }
    bench_.report.rows.push_back(row);
  }

  Bench& bench_;
  int64_t tokens_;
  Tokenizer tokenizer_;
  std::vector<Way> ways_;
};

}  // namespace

void measure_speculation(Bench& bench) {
  const int64_t tokens = bench.model.config.image_tokens();
  if (tokens == 1) return;  // there are no steps
  double plain_pass = 0;
  bench.attempt("passes by width", [&] { plain_pass = PassBench(bench).run(); });
  if (bench.options.model.empty() || plain_pass == 0) return;
  bench.attempt("pictures with speculative decoding", [&] {
    PictureBench pictures(bench);
    const double turn = plain_pass * static_cast<double>(tokens * pictures.ways());
    if (turn * kFewestTurns > kMostPictureSeconds && !bench.options.whole.value_or(false)) {
      throw Error(ErrorKind::kUnavailable,
                  fmt::format("they take about {:.0f} s; --whole draws them", turn * kFewestTurns));
    }
    pictures.run(std::clamp(static_cast<int64_t>(kPictureSeconds / turn), kFewestTurns,
                            4 * std::max<int64_t>(1, bench.options.repeats)));
  });
}

}  // namespace bifrons
