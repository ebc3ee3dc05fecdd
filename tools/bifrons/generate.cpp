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
#include "tools/bifrons/generation.h"
#include "tools/bifrons/like.h"
#include "tools/bifrons/plan_picture.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/setting_options.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/think_only.h"
#include "tools/bifrons/tokens_file.h"
#include "vision/pictures/contact_sheet.h"

namespace bifrons::cli {
namespace {

constexpr int64_t kMostPictures = 9999;

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

// Part of the message before drawing.
std::string seeds_text(const std::vector<DrawRequest>& requests, int64_t best_of) {
  const uint64_t last = requests.back().seed + best_of - 1;
  if (last == requests.front().seed) return fmt::format("seed {}", last);
  return fmt::format("seeds {} to {}", requests.front().seed, last);
}

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
  setup.options.planned = thinks ? planned_pictures(*thinks) : planned;
  if (reflect.on()) {  // one picture after the other
    setup.options.planned.reflects = reflect.options().max_tokens;
    setup.options.pictures_at_once = 1;
  }
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
  if (prepare) prepare(opened, requests, complete);
  log(verbosity, seeds_text(requests, best_of.drawings()));
  std::optional<Understanding> judge;
  if (best_of.candidates || reflect.on()) judge = Understanding::open(opened);
  if (reflect.on()) check_reflection(opened, *judge, requests.front(), reflect.options());

  const RopeMode rope = setup.options.rope;
  const Drawn drawn = draw_and_keep(*this, rope, requests, plan, opened, judge ? &*judge : nullptr);
  log_speculation(opened.speculation(), verbosity);
  log_decoding(opened.decoding(), verbosity);
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
