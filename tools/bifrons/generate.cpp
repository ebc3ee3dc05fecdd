// `bifrons generate`: everything that can fail for want of a place or a name fails before drawing.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/utf8.h"
#include "src/engine/seeds.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/template.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/judged.h"
#include "tools/bifrons/like.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/tokens_file.h"
#include "vision/pictures/grid.h"

namespace bifrons::cli {
namespace {

// Pictures side by side share each read of the weights; more than these gain little on a CPU.
constexpr int64_t kPicturesAtOnce = 4;

// What has been drawn so far, for the contact sheet, --tokens-out and --json.
struct Drawn {
  std::vector<Picture> pictures;  // only kept for the contact sheet
  std::vector<TokenRecord> tokens;
  nlohmann::json records = nlohmann::json::array();
};

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

// Flags, then --like, then stdin and chance for what is still open.
Settings complete_settings(const GenerateArguments& arguments) {
  Settings settings = arguments.settings;
  if (arguments.prompt_from_stdin) settings.prompt = prompt_from_stdin();
  if (!arguments.like.empty()) {
    const std::string name = quote(arguments.like);
    const std::string file = read_file(arguments.like, kLongestFile);
    const std::span bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
    PictureFileInfo info;
    try {
      info = read_picture_info(bytes);
    } catch (const Error& error) {
      throw Error(error.kind(), name + ": " + error.what());
    }
    const LikeSettings like = settings_like(info.metadata, name);
    fill_from(settings, like.settings);
    if (!like.warning.empty()) log(arguments.verbosity, like.warning);
    if (!settings.prompt) {
      throw Error(ErrorKind::kData, name + ": there is no prompt in it; say with -p what to draw");
    }
  }
  if (!settings.seed) settings.seed = random_seed();
  return settings;
}

// With --best-of a picture's request has the first of its candidates' seeds.
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

void check_size(const GenerateArguments& arguments, const ModelInfo& model) {
  const int64_t size = model.image_size;
  if (arguments.width.value_or(size) == size && arguments.height.value_or(size) == size) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("this model draws {}x{} pixels and no other size; leave out --width, "
                          "--height and --size, and scale the picture afterwards",
                          size, size));
}

// The codes need a file of their own, beside the pictures'.
void check_tokens_out(const GenerateArguments& arguments, const OutputPlan& plan) {
  if (arguments.tokens_out.empty()) return;
  if (arguments.tokens_out == "-") {
    throw Error(ErrorKind::kUsage,
                "--tokens-out takes a file name; stdout is for the pictures' paths");
  }
  const std::filesystem::path tokens = whole_path(arguments.tokens_out);
  const auto same = [&](const std::filesystem::path& path) { return whole_path(path) == tokens; };
  if (std::any_of(plan.files.begin(), plan.files.end(), same) ||
      (!plan.sheet.empty() && same(plan.sheet))) {
    throw Error(ErrorKind::kUsage,
                "--output and --tokens-out both name " + quote(arguments.tokens_out));
  }
  check_output_file(arguments.tokens_out, arguments.overwrite);
}

// Codes to keep that came with a picture: they are data, and may be of another model or damaged.
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

void say_what_differs(const Settings& settings, const ModelInfo& model,
                      const Verbosity& verbosity) {
  if (settings.weights_hash.empty() || settings.weights_hash == model.weights_hash) return;
  log(verbosity, fmt::format("{} drew the picture to be like, this is {}: expect another picture",
                             quote(settings.model_name), quote(model.name)));
}

std::string seeds_text(const std::vector<DrawRequest>& requests, int64_t best_of) {
  const uint64_t last = requests.back().seed + best_of - 1;
  if (last == requests.front().seed) return fmt::format("seed {}", last);
  return fmt::format("seeds {} to {}", requests.front().seed, last);
}

class Generation {
 public:
  // `judge` is there when --best-of is.
  Generation(const GenerateArguments& arguments, RopeMode rope,
             const std::vector<DrawRequest>& requests, const OutputPlan& plan, Engine& engine,
             Understanding* judge)
      : arguments_(arguments),
        rope_(rope),
        requests_(requests),
        plan_(plan),
        engine_(engine),
        judge_(judge),
        bar_(!arguments.verbosity.quiet && stderr_is_terminal(),
             static_cast<int64_t>(requests.size()) * engine.model().image_tokens *
                 arguments.best_of.value_or(1)) {}

  Drawn draw_all() {
    const int64_t count = static_cast<int64_t>(requests_.size());
    for (int64_t i = 0; judge_ != nullptr && i < count; ++i) draw_best_of(i);
    for (int64_t from = 0; judge_ == nullptr && from < count; from += kPicturesAtOnce) {
      draw_some(from, std::min(kPicturesAtOnce, count - from));
    }
    return std::move(drawn_);
  }

 private:
  // Draws and saves pictures [from, from + count), so that what is finished stays when we stop.
  void draw_some(int64_t from, int64_t count) {
    const int64_t tokens = engine_.model().image_tokens;
    const auto progress = [&](int64_t done, int64_t total) {
      const int64_t part = total > 0 ? done * count * tokens / total : 0;
      bar_.update(from * tokens + part);
      return !stop_requested();
    };
    const auto requests = std::span(requests_).subspan(from, count);
    std::vector<Drawing> drawings = engine_.draw(requests, progress);
    bar_.clear();
    check(static_cast<int64_t>(drawings.size()) == count, "draw: one drawing a request");
    for (int64_t i = 0; i < count; ++i) keep(from + i, std::move(drawings[i]));
  }

  void draw_best_of(int64_t i) {
    const int64_t candidates = *arguments_.best_of;
    const int64_t before = i * candidates * engine_.model().image_tokens;
    ChosenDrawing chosen = draw_best(engine_, *judge_, requests_[i], candidates,
                                     question_about(arguments_.match_question, requests_[i].prompt),
                                     [&](int64_t done, int64_t) {
                                       bar_.update(before + done);
                                       return !stop_requested();
                                     });
    bar_.clear();
    Drawing drawing = std::move(chosen.drawing);
    keep(i, std::move(drawing), &chosen);
  }

  void keep(int64_t i, Drawing drawing, const ChosenDrawing* chosen = nullptr) {
    DrawRequest request = requests_[i];
    if (chosen != nullptr) request.seed = chosen->candidates[chosen->kept].seed;
    PictureMetadata metadata = describe(request, rope_, engine_.model(), engine_.device());
    if (chosen != nullptr) add_judgement(metadata, *chosen);
    const std::string path =
        deliver(drawing.picture, arguments_.metadata ? &metadata : nullptr, plan_,
                plan_.to_stdout ? std::filesystem::path() : plan_.files[i], arguments_.json,
                arguments_.verbosity);
    log(arguments_.verbosity, fmt::format("picture {} of {}, seed {}, {:.1f} s", i + 1,
                                          requests_.size(), request.seed, drawing.seconds));
    if (arguments_.json) {
      drawn_.records.push_back({{"file", path},
                                {"seed", request.seed},
                                {"seconds", drawing.seconds},
                                {"width", drawing.picture.width},
                                {"height", drawing.picture.height}});
      if (chosen != nullptr) drawn_.records.back()["best_of"] = record_of(*chosen);
    }
    if (!arguments_.tokens_out.empty()) {
      drawn_.tokens.push_back({request.prompt, request.seed, std::move(drawing.tokens)});
    }
    if (arguments_.grid) drawn_.pictures.push_back(std::move(drawing.picture));
  }

  const GenerateArguments& arguments_;
  RopeMode rope_;
  const std::vector<DrawRequest>& requests_;
  const OutputPlan& plan_;
  Engine& engine_;
  Understanding* judge_;
  ProgressBar bar_;
  Drawn drawn_;
};

// The sheet says what the first picture says: the rest follow from it by counting seeds.
std::string deliver_sheet(const GenerateArguments& arguments, RopeMode rope,
                          const DrawRequest& first, const OutputPlan& plan, const Engine& engine,
                          const Drawn& drawn) {
  const PictureMetadata metadata = describe(first, rope, engine.model(), engine.device());
  return deliver(contact_sheet(drawn.pictures), arguments.metadata ? &metadata : nullptr, plan,
                 plan.sheet, arguments.json, arguments.verbosity);
}

std::string json_report(const DrawRequest& request, RopeMode rope, const Engine& engine,
                        const Drawn& drawn, const std::string& sheet,
                        const std::string& tokens_file) {
  nlohmann::json report = shared_settings(request, rope);
  report["pictures"] = drawn.records;
  report["model"] = {{"name", engine.model().name}, {"hash", engine.model().weights_hash}};
  report["device"] = engine.device();
  if (!sheet.empty()) report["grid"] = sheet;
  if (!tokens_file.empty()) report["tokens_file"] = tokens_file;
  return plain_json(report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n";
}

}  // namespace

int run(GenerateArguments arguments) {
  const Settings settings = complete_settings(arguments);
  std::vector<DrawRequest> requests =
      requests_for(settings, arguments.count, arguments.best_of.value_or(1));
  const RopeMode rope = settings.rope.value_or(RopeMode::kF32);
  const ModelPlace place = find_model(arguments.model);
  const OutputPlan plan = plan_outputs({arguments.output, arguments.overwrite, arguments.grid},
                                       facts_for(requests, place.directory));
  check_tokens_out(arguments, plan);
  check_stdout_for(plan);
  if (requests.front().prompt.empty()) {
    log(arguments.verbosity, "the prompt is empty; the model draws whatever it likes");
  }
  if (looks_like_template(requests.front().prompt)) {
    log(arguments.verbosity,
        "a prompt with {a|b} or __name__ is drawn as it stands; bifrons batch --expand fills such "
        "templates in");
  }

  EngineOptions options;
  options.model = place.directory;
  options.device = arguments.device;
  options.threads = arguments.threads;
  options.rope = rope;
  options.pictures_at_once = static_cast<int>(
      std::min(std::max(arguments.count, arguments.best_of.value_or(1)), kPicturesAtOnce));
  Engine engine = open_engine(options, place.built_in, arguments.verbosity);
  check_size(arguments, engine.model());
  if (!arguments.like.empty()) check_kept_codes(settings, arguments.like, engine.model());
  say_what_differs(settings, engine.model(), arguments.verbosity);
  if (arguments.prepare) arguments.prepare(engine, requests);
  log(arguments.verbosity, seeds_text(requests, arguments.best_of.value_or(1)));
  std::optional<Understanding> judge;
  if (arguments.best_of) judge = Understanding::open(engine);

  const Drawn drawn =
      Generation(arguments, rope, requests, plan, engine, judge ? &*judge : nullptr).draw_all();
  std::string sheet;
  if (arguments.grid) {
    sheet = deliver_sheet(arguments, rope, requests.front(), plan, engine, drawn);
  }
  std::string tokens_file;
  if (!arguments.tokens_out.empty()) {
    const std::string text = write_tokens(drawn.tokens, engine.model());
    tokens_file = save_output(arguments.tokens_out, arguments.overwrite,
                              {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
                      .string();
  }
  if (arguments.json) {
    write_stdout(json_report(requests.front(), rope, engine, drawn, sheet, tokens_file));
  }
  return 0;
}

}  // namespace bifrons::cli
