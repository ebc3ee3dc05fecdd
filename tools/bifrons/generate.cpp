// `bifrons generate`: options, names, drawing, reports. All errors that can be found early are
// found before drawing.
#include "tools/bifrons/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/utf8.h"
#include "src/engine/seeds.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/prompts/template.h"
#include "tools/bifrons/like.h"
#include "tools/bifrons/plan_picture.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/setting_options.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/think_only.h"
#include "tools/bifrons/thought_printer.h"
#include "tools/bifrons/thought_record.h"
#include "tools/bifrons/tokens_file.h"
#include "vision/pictures/contact_sheet.h"

namespace bifrons::cli {
namespace {

constexpr int64_t kMostPictures = 9999;

// Pictures that are drawn together share each read of the weights. More than these gain little on a
// CPU.
constexpr int64_t kPicturesAtOnce = 4;

}  // namespace

void add_prompt(CLI::App& command, const char* names, std::optional<std::string>& prompt,
                const char* about) {
  add_value(
      command, names, "TEXT", [&prompt](const std::string& text) { prompt = text; }, about);
}

void Generate::add_to(CLI::App& command) {
  add_setting_options(command, settings, "Seed of the first picture; -1 is random (default)");
  add_whole(command, "-c,--count,-b,--batch-count", "N", 1, kMostPictures, count,
            "Number of pictures, with seeds counting up (default 1)");
  add_count_aliases(command, count, kMostPictures);
  output.add_to(command,
                "File, pattern with {seed} {slug} {index:04} {model} or %04d, directory/, or - for "
                "stdout; .png .jpg .webp",
                "Write pixels only: no prompt, no settings, no AI mark");
  best_of.add_to(command);
  think.add_to(command);
  add_flag(command, "--grid", grid, "Also write all pictures as one contact sheet");
  add_text(command, "--like", "FILE", like,
           "Take every setting from this picture, be it of another program; flags win");
  add_text(command, "--tokens-out", "FILE", tokens_out, "Also write the image codes as JSON");
  engine.add_to(command);
  add_speculate(command, engine.speculate);
  verbosity.add_to(command);
}

void Generate::check() const {
  check_text("the prompt", prompt.value_or(""));
  check_text("the negative prompt", settings.negative_prompt.value_or(""));
  if (prompt == "-" && think.thought == "-") {
    throw Error(ErrorKind::kUsage, "only one of prompt and thought can come from stdin");
  }
  output.check();
  if (!reflect.on() && (reflect.keep_all || reflect.temperature)) {
    throw Error(ErrorKind::kUsage, "--keep-all and --reflect-temp go with --reflect");
  }
  if (!reflect.on()) return;
  reflect.options();
  if (think.given()) throw Error(ErrorKind::kUsage, "give one of --think and --reflect");
  if (best_of.candidates) {
    throw Error(ErrorKind::kUsage, "give one of --best-of and --reflect");
  }
  if (reflect.keep_all && output.output == "-") {
    throw Error(ErrorKind::kUsage, "--keep-all writes several pictures; --output - takes one");
  }
}

namespace {

std::string prompt_from_stdin() {
  std::string prompt = read_stdin(kLongestPrompt);
  if (prompt.ends_with('\n')) prompt.pop_back();
  if (prompt.ends_with('\r')) prompt.pop_back();
  if (const auto at = invalid_utf8(prompt)) {
    throw Error(ErrorKind::kData, fmt::format("the prompt is not valid UTF-8 at byte {}", *at));
  }
  if (const size_t at = prompt.find('\0'); at != std::string::npos) {
    throw Error(ErrorKind::kData, fmt::format("the prompt has a NUL at byte {}", at));
  }
  return prompt;
}

// The settings of the picture given by --like.
Settings settings_of_file(const Generate& generate) {
  const std::string name = quote(generate.like);
  const std::string file = read_file(generate.like, kLongestFile);
  PictureFileInfo info;
  try {
    info = read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  } catch (const Error& error) {
    throw Error(error.kind(), name + ": " + error.what());
  }
  const LikeSettings like = settings_like(info.metadata, name);
  if (!like.warning.empty()) log(generate.verbosity, like.warning);
  return like.settings;
}

// Options have priority over --like. Without a seed from either, a random seed is chosen.
Settings complete_settings(const Generate& generate) {
  Settings settings = generate.settings;
  if (generate.prompt) {
    settings.prompt = *generate.prompt == "-" ? prompt_from_stdin() : *generate.prompt;
  }
  if (!generate.like.empty()) {
    Settings like = settings_of_file(generate);
    if (like.edited && generate.edited.empty()) {
      throw Error(ErrorKind::kData, quote(generate.like) +
                                        ": it was made from another picture; bifrons edit takes "
                                        "that one again");
    }
    if (like.think && settings.prompt && settings.prompt != like.prompt) {
      like.think->thought.reset();  // it is about another prompt
      like.think->tokens.clear();
    }
    // A prompt of spans takes no thought.
    if (generate.reflect.on() || !generate.edited.empty()) like.think.reset();
    fill_from(settings, like);
    if (!settings.prompt) {
      throw Error(ErrorKind::kData,
                  quote(generate.like) + ": there is no prompt in it; say with -p what to draw");
    }
  }
  if (!settings.seed) settings.seed = random_seed();
  return settings;
}

// With --best-of the request of a picture has the seed of its first candidate.
std::vector<DrawRequest> requests_for(const Settings& settings, int64_t count, int64_t best_of) {
  std::vector<DrawRequest> requests(static_cast<size_t>(count), request_of(settings));
  check_seeds(ErrorKind::kUsage, requests.front().seed, static_cast<uint64_t>(count * best_of));
  for (size_t i = 0; i < requests.size(); ++i) requests[i].seed += i * best_of;
  return requests;
}

std::vector<NameFacts> facts_for(const std::vector<DrawRequest>& requests,
                                 const std::string& directory) {
  std::vector<NameFacts> facts;
  for (const DrawRequest& request : requests) {
    facts.push_back({request.seed, static_cast<int64_t>(facts.size()) + 1, slug(request.prompt),
                     model_name(directory)});
  }
  return facts;
}

void check_size(const Generate& generate, const ModelInfo& model) {
  const int64_t size = model.image_size;
  if (generate.width.value_or(size) == size && generate.height.value_or(size) == size) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("this model draws {}x{} pixels and no other size; leave out --width, "
                          "--height and --size, and scale the picture afterwards",
                          size, size));
}

// The file of --tokens-out must not be one of the pictures.
void check_tokens_out(const Generate& generate, const OutputPlan& plan) {
  if (generate.tokens_out.empty()) return;
  if (generate.tokens_out == "-") {
    throw Error(ErrorKind::kUsage,
                "--tokens-out takes a file name; stdout is for the pictures' paths");
  }
  const std::filesystem::path tokens = canonical_path(generate.tokens_out);
  const auto same = [&](const std::filesystem::path& path) {
    return canonical_path(path) == tokens;
  };
  if (std::any_of(plan.files.begin(), plan.files.end(), same) ||
      (!plan.sheet.empty() && same(plan.sheet))) {
    throw Error(ErrorKind::kUsage,
                "--output and --tokens-out both name " + quote(generate.tokens_out));
  }
  check_output_file(generate.tokens_out, generate.output.overwrite);
}

// The codes that --like keeps come from a file, so they may be damaged or from another model.
void check_kept_codes(const Settings& settings, const std::string& like, const ModelInfo& model) {
  if (!settings.fixed || settings.fixed->empty()) return;
  if (static_cast<int64_t>(settings.fixed->size()) != model.image_tokens) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: it keeps some of {} tokens, but a picture of this model has {}",
                            quote(like), settings.fixed->size(), model.image_tokens));
  }
  for (const int32_t code : *settings.fixed) {
    if (code < model.codebook) continue;
    throw Error(ErrorKind::kData,
                fmt::format("{}: it keeps the code {}, but this model's run from 0 to {}",
                            quote(like), code, model.codebook - 1));
  }
}

void warn_of_other_model(const Settings& settings, const ModelInfo& model,
                         const Verbosity& verbosity) {
  if (settings.weights_hash.empty() || settings.weights_hash == model.weights_hash) return;
  log(verbosity, fmt::format("{} drew the picture to be like, this is {}: expect another picture",
                             quote(settings.model_name), quote(model.name)));
}

// Adds what `edit` says about its picture.
void add_edit_record(PictureMetadata& metadata, const std::string& edited) {
  if (edited.empty()) return;
  nlohmann::json settings = nlohmann::json::parse(metadata.settings);
  settings["edit"] = nlohmann::json::parse(edited);
  metadata.parameters +=
      ", Edit of: " + settings["edit"]["sha256"].get<std::string>().substr(0, 16);
  metadata.settings = settings.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// NAME.round2.png for the second round of NAME.png.
std::filesystem::path round_file(const std::filesystem::path& file, size_t round) {
  std::filesystem::path name = file.stem();
  name += fmt::format(".round{}", round);
  name += file.extension();
  return file.parent_path() / name;
}

// Part of the message before drawing.
std::string seeds_text(const std::vector<DrawRequest>& requests, int64_t best_of) {
  const uint64_t last = requests.back().seed + best_of - 1;
  if (last == requests.front().seed) return fmt::format("seed {}", last);
  return fmt::format("seeds {} to {}", requests.front().seed, last);
}

// The results so far, for the contact sheet, --tokens-out and --json.
struct Drawn {
  std::vector<Picture> pictures;  // only for the contact sheet
  std::vector<TokenRecord> tokens;
  std::shared_ptr<const Thought> thought;  // of the first picture
  nlohmann::json records = nlohmann::json::array();
};

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

// The sheet has the metadata of the first picture. The other pictures have the following seeds.
std::string deliver_sheet(const Generate& generate, RopeMode rope, const DrawRequest& first,
                          const OutputPlan& plan, const Engine& engine, const Drawn& drawn) {
  PictureMetadata metadata =
      describe(first, rope, engine.model(), engine.device(), drawn.thought.get());
  add_edit_record(metadata, generate.edited);
  return deliver(contact_sheet(drawn.pictures), generate.output.metadata ? &metadata : nullptr,
                 plan, plan.sheet, generate.output.json, generate.verbosity);
}

void print_report(const DrawRequest& request, const std::string& edited, RopeMode rope,
                  const Engine& engine, const Drawn& drawn, const std::string& sheet,
                  const std::string& tokens_file) {
  nlohmann::json report = shared_settings(request, rope);
  report["pictures"] = drawn.records;
  if (!edited.empty()) report["edit"] = nlohmann::json::parse(edited);
  report["model"] = model_record(engine.model());
  report["device"] = engine.device();
  if (!sheet.empty()) report["grid"] = sheet;
  if (!tokens_file.empty()) report["tokens_file"] = tokens_file;
  print_json(report);
}

// Warns about prompts that can be drawn but may not be what the user meant.
void warn_of_prompt(const std::string& prompt, const Verbosity& verbosity) {
  if (prompt.empty()) log(verbosity, "the prompt is empty; the model draws whatever it likes");
  if (looks_like_template(prompt)) {
    log(verbosity,
        "a prompt with {a|b} or __name__ is drawn as it stands; bifrons batch --expand fills such "
        "templates in");
  }
}

}  // namespace

int Generate::run(const Prepare& prepare) const {
  check();
  const Settings complete = complete_settings(*this);
  std::vector<DrawRequest> requests = requests_for(complete, count, best_of.drawings());
  EngineSetup setup = engine.setup();
  setup.options.rope = complete.rope.value_or(RopeMode::kF32);
  if (!engine.kv && complete.kv) {  // the picture to be like says it, unless --kv does
    setup.options.kv = *complete.kv;
    setup.options.int8_kv_if_needed = false;
  }
  setup.options.pictures_at_once =
      static_cast<int>(std::min(std::max(count, best_of.drawings()), kPicturesAtOnce));
  const std::optional<ThinkOptions> thinks = think.options(setup.options.model, complete.think);
  if (think_only && (!thinks || best_of.candidates)) {
    throw Error(ErrorKind::kUsage, thinks ? "--think-only draws nothing, so --best-of has no choice"
                                          : "--think-only goes with --think");
  }
  OutputPlan plan;
  if (!think_only) {
    plan = plan_outputs({output.output, output.overwrite, grid},
                        facts_for(requests, setup.options.model));
    check_tokens_out(*this, plan);
    if (!show_plan.empty()) check_plan_file(show_plan, plan, thinks.has_value() && count == 1);
    check_stdout_for(plan);
  }
  warn_of_prompt(requests.front().prompt, verbosity);

  Engine opened = open_engine(setup, verbosity);
  check_size(*this, opened.model());
  if (thinks) {
    const auto thinking = opened.thinking(*thinks);
    for (DrawRequest& request : requests) request.thinking = thinking;
  }
  if (think_only) return write_thoughts(*this, opened, requests);
  if (!like.empty()) check_kept_codes(complete, like, opened.model());
  warn_of_other_model(complete, opened.model(), verbosity);
  if (prepare) prepare(opened, requests);
  log(verbosity, seeds_text(requests, best_of.drawings()));
  std::optional<Understanding> judge;
  if (best_of.candidates || reflect.on()) judge = Understanding::open(opened);
  if (reflect.on()) check_reflection(opened, *judge, requests.front(), reflect.options());

  const RopeMode rope = setup.options.rope;
  const Drawn drawn =
      Generation(*this, rope, requests, plan, opened, judge ? &*judge : nullptr).draw_all();
  log_speculation(opened.speculation(), verbosity);
  std::string sheet;
  if (grid) sheet = deliver_sheet(*this, rope, requests.front(), plan, opened, drawn);
  std::string tokens_file;
  if (!tokens_out.empty()) {
    const std::string text = write_tokens(drawn.tokens, opened.model());
    tokens_file = save_text(tokens_out, output.overwrite, text);
  }
  if (output.json) print_report(requests.front(), edited, rope, opened, drawn, sheet, tokens_file);
  return 0;
}

void add_generate(CLI::App& app, Chosen& chosen) {
  struct Command : Generate {
    std::optional<std::string> operand;
  };
  const auto generate = std::make_shared<Command>();
  CLI::App& command =
      add_command(app, "generate", "Draw pictures (also without a command)", chosen, [generate] {
        if (generate->operand && generate->prompt) {
          throw Error(ErrorKind::kUsage,
                      "the prompt was given twice: as an argument and with --prompt");
        }
        if (generate->operand) generate->prompt = generate->operand;
        if (!generate->prompt && generate->like.empty()) {
          throw Error(ErrorKind::kUsage, "no prompt; try: bifrons \"a fox in the snow\"");
        }
        return generate->run();
      });
  add_prompt(command, "TEXT", generate->operand, "The prompt; - reads it from stdin");
  add_prompt(command, "-p,--prompt", generate->prompt, "The prompt, whatever it begins with");
  generate->add_to(command);
  generate->reflect.add_to(command);
  add_size_options(command, generate->width, generate->height);
  add_flag(command, "--think-only", generate->think_only, "Print the thought and draw nothing");
  add_text(command, "--show-plan", "FILE", generate->show_plan,
           "Also write the picture with the boxes that the thought plans (GoT-R1)");
}

}  // namespace bifrons::cli
