// Draws, judges where asked, and saves: picture, metadata, reports.
#include "tools/bifrons/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "src/io/quote.h"
#include "tools/bifrons/plan_picture.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/thought_printer.h"
#include "tools/bifrons/thought_record.h"

namespace bifrons::cli {

void add_edit_record(PictureMetadata& metadata, const std::string& edited) {
  if (edited.empty()) return;
  nlohmann::json settings = nlohmann::json::parse(metadata.settings);
  settings["edit"] = nlohmann::json::parse(edited);
  metadata.parameters +=
      ", Edit of: " + settings["edit"]["sha256"].get<std::string>().substr(0, 16);
  metadata.settings = settings.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

namespace {

// NAME.round2.png for the second round of NAME.png.
std::filesystem::path round_file(const std::filesystem::path& file, size_t round) {
  std::filesystem::path name = file.stem();
  name += fmt::format(".round{}", round);
  name += file.extension();
  return file.parent_path() / name;
}

class Generation {
 public:
  // `judge` is null without --best-of and --reflect.
  Generation(const Generate& generate, RopeMode rope, const std::vector<DrawRequest>& requests,
             const OutputPlan& plan, Engine& engine, Understanding* judge)
      : generate_(generate),
        rope_(rope),
        requests_(requests),
        plan_(plan),
        engine_(engine),
        judge_(judge),
        bar_(!generate.verbosity.quiet && stderr_is_terminal(),
             static_cast<int64_t>(requests.size()) * engine.model().image_tokens *
                 generate.best_of.drawings() *
                 (generate.reflect.on() ? generate.reflect.options().rounds + 1 : 1)) {}

  Drawn draw_all() {
    const int64_t count = static_cast<int64_t>(requests_.size());
    for (int64_t i = 0; judge_ != nullptr && i < count; ++i) {
      generate_.reflect.on() ? draw_reflecting(i) : draw_best_of(i);
    }
    for (int64_t from = 0; judge_ == nullptr && from < count; from += kPicturesAtOnce) {
      draw_some(from, std::min(kPicturesAtOnce, count - from));
    }
    return std::move(drawn_);
  }

 private:
  // Draws and saves pictures [from, from + count). Saved pictures stay if the run is stopped.
  void draw_some(int64_t from, int64_t count) {
    const int64_t tokens = engine_.model().image_tokens;
    const auto progress = [&](int64_t done, int64_t total) {
      const int64_t part = total > 0 ? done * count * tokens / total : 0;
      bar_.update(from * tokens + part);
      return !stop_requested();
    };
    const auto requests = std::span(requests_).subspan(from, count);
    ThoughtPrinter printer(
        generate_.verbosity, [&](uint64_t id) { return fmt::format("seed {}", requests[id].seed); },
        [this] { bar_.clear(); });
    std::vector<Drawing> drawings = engine_.draw(
        requests, progress, [&printer](const ThoughtPiece& piece) { printer.take(piece); });
    bar_.clear();
    check(static_cast<int64_t>(drawings.size()) == count, "draw: one drawing a request");
    for (int64_t i = 0; i < count; ++i) keep(from + i, std::move(drawings[i]));
  }

  void draw_best_of(int64_t i) {
    const int64_t candidates = *generate_.best_of.candidates;
    const int64_t before = i * candidates * engine_.model().image_tokens;
    ChosenDrawing chosen =
        draw_best(engine_, *judge_, requests_[i], candidates,
                  question_about(generate_.best_of.question, requests_[i].prompt),
                  [&](int64_t done, int64_t) {
                    bar_.update(before + done);
                    return !stop_requested();
                  });
    bar_.clear();
    Drawing drawing = std::move(chosen.drawing);
    keep(i, std::move(drawing), &chosen);
  }

  void draw_reflecting(int64_t i) {
    const ReflectOptions options = generate_.reflect.options();
    const int64_t before = i * (options.rounds + 1) * engine_.model().image_tokens;
    Reflection rounds =
        draw_reflected(engine_, *judge_, requests_[i], options, [&](int64_t done, int64_t) {
          bar_.update(before + done);
          return !stop_requested();
        });
    bar_.clear();
    for (size_t round = 0; round < rounds.size(); ++round) {
      if (rounds[round].judged) {
        log(generate_.verbosity, "the model says: " + quote(rounds[round].reason));
      }
      if (generate_.reflect.keep_all && round + 1 < rounds.size()) keep_round(i, rounds, round);
    }
    Drawing drawing = std::move(rounds.back().drawing);
    for (ReflectedRound& round : rounds) drawing.seconds += round.drawing.seconds;
    drawing.seconds -= rounds.back().drawing.seconds;
    keep(i, std::move(drawing), nullptr, &rounds);
  }

  void keep_round(int64_t i, const Reflection& rounds, size_t round) {
    PictureMetadata metadata = describe(requests_[i], rope_, engine_.model(), engine_.device());
    add_reflection(metadata, rounds, round);
    deliver(rounds[round].drawing.picture, generate_.output.metadata ? &metadata : nullptr, plan_,
            round_file(plan_.file(i), round + 1), generate_.output.json, generate_.verbosity);
  }

  void keep(int64_t i, Drawing drawing, const ChosenDrawing* chosen = nullptr,
            const Reflection* rounds = nullptr) {
    DrawRequest request = requests_[i];
    if (chosen != nullptr) request.seed = chosen->candidates[chosen->kept].seed;
    const Thought* thought = drawing.thought.get();
    if (drawn_.thought == nullptr) drawn_.thought = drawing.thought;
    PictureMetadata metadata = describe(request, rope_, engine_.model(), engine_.device(), thought);
    if (chosen != nullptr) add_judgement(metadata, *chosen);
    if (rounds != nullptr) add_reflection(metadata, *rounds, rounds->size() - 1);
    add_edit_record(metadata, generate_.edited);
    const std::string path =
        deliver(drawing.picture, generate_.output.metadata ? &metadata : nullptr, plan_,
                plan_.file(i), generate_.output.json, generate_.verbosity);
    log(generate_.verbosity, fmt::format("picture {} of {}, seed {}, {:.1f} s", i + 1,
                                         requests_.size(), request.seed, drawing.seconds));
    if (generate_.output.json) {
      drawn_.records.push_back({{"file", path},
                                {"seed", request.seed},
                                {"seconds", drawing.seconds},
                                {"passes", drawing.passes},
                                {"width", drawing.picture.width},
                                {"height", drawing.picture.height}});
      if (chosen != nullptr) drawn_.records.back()["best_of"] = record_of(*chosen);
      if (thought != nullptr) add_thought(drawn_.records.back(), *request.thinking, *thought);
      if (rounds != nullptr) drawn_.records.back()["reflect"] = record_of(*rounds);
    }
    if (thought != nullptr) say_of(*thought);
    if (!generate_.show_plan.empty()) show_plan(drawing);
    if (!generate_.tokens_out.empty()) {
      drawn_.tokens.push_back({request.prompt, request.seed, std::move(drawing.tokens)});
    }
    if (generate_.grid) drawn_.pictures.push_back(std::move(drawing.picture));
  }

  void say_of(const Thought& thought) const {
    if (thought.end != ThoughtEnd::kLength) return;
    log(generate_.verbosity,
        fmt::format("the thought was cut at {} tokens", thought.tokens.size()));
  }

  void show_plan(const Drawing& drawing) const {
    const Verbosity& verbosity = generate_.verbosity;
    const auto boxes = plan_of(drawing.thought == nullptr ? "" : drawing.thought->text);
    if (boxes.empty()) {
      log(verbosity, "the thought plans no boxes; " + quote(generate_.show_plan) + " shows none");
    }
    save_plan(generate_.show_plan, generate_.output.overwrite, drawing.picture, boxes,
              [&verbosity](const std::string& line) { log(verbosity, line); });
  }

  const Generate& generate_;
  RopeMode rope_;
  const std::vector<DrawRequest>& requests_;
  const OutputPlan& plan_;
  Engine& engine_;
  Understanding* judge_;
  ProgressBar bar_;
  Drawn drawn_;
};

}  // namespace

Drawn draw_and_keep(const Generate& generate, RopeMode rope,
                    const std::vector<DrawRequest>& requests, const OutputPlan& plan,
                    Engine& engine, Understanding* judge) {
  return Generation(generate, rope, requests, plan, engine, judge).draw_all();
}

}  // namespace bifrons::cli
