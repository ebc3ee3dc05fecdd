// The options of the batch commands.
#include <fmt/format.h>

#include <memory>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/picture_name.h"
#include "src/prompts/prompt_reader.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/environment.h"
#include "tools/bifrons/grammar.h"
#include "tools/bifrons/grid_axis.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/setting_options.h"

namespace bifrons::cli {
namespace {

constexpr uint64_t kMostLanes = 4096;

// A text option whose value is checked by `take`.
void add_checked(CLI::App& command, const char* names, const char* type, const char* about,
                 std::function<void(const std::string&)> take) {
  command.add_option_function<std::string>(names, std::move(take), about)->type_name(type);
}

// One of the words, as an enumeration; anything else is refused with the words in a row.
template <typename T>
T choice(const char* option, const std::string& text,
         const std::vector<std::pair<const char*, T>>& choices) {
  std::string words;
  for (const auto& [word, value] : choices) {
    if (text == word) return value;
    words += (words.empty() ? "" : ", ") + std::string(word);
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("{} takes {}, not {}", option, words, quote(text, 60)));
}

void add_model(CLI::App& command, std::string& model) {
  command.add_option("-m,--model", model, "Model directory (default: BIFRONS_MODEL, or storybook)")
      ->type_name("DIR");
}

void add_threads(CLI::App& command, int& threads) {
  add_checked(command, "-t,--threads", "N",
              "CPU threads; 0 is all cores (default: BIFRONS_THREADS, or 0)",
              [&threads](const std::string& text) {
                threads = static_cast<int>(parse_whole("--threads", text, 0, kMostThreads));
              });
}

void add_lanes(CLI::App& command, int& lanes) {
  add_checked(
      command, "--batch", "N", "Pictures drawn side by side, or auto (default)",
      [&lanes](const std::string& text) {
        lanes = text == "auto" ? 0 : static_cast<int>(parse_whole("--batch", text, 1, kMostLanes));
      });
}

// What flags left open and the environment says.
void fill_machine(std::string& model, std::string& device, int& threads, bool threads_given) {
  if (model.empty()) model = environment("BIFRONS_MODEL");
  if (device.empty()) device = environment("BIFRONS_DEVICE");
  if (device.empty()) device = "auto";
  const std::string text = environment("BIFRONS_THREADS");
  if (!threads_given && !text.empty()) {
    threads = static_cast<int>(parse_whole("BIFRONS_THREADS", text, 0, kMostThreads));
  }
}

void add_reading(CLI::App& command, BatchArguments& a) {
  // A callback with words: a vector of strings would split "[a, b]".
  command
      .add_option_function<std::vector<std::string>>(
          "FILE", [&a](const std::vector<std::string>& words) { a.files = words; },
          "Prompts: .txt .jsonl .json .csv .tsv, one or several; - reads stdin; a folder: each "
          ".txt file in it is a prompt, and its picture is called after it")
      ->required();
  add_checked(
      command, "--format", "NAME", "Of FILE: txt, jsonl, json, csv or tsv (default: its ending)",
      [&a](const std::string& text) {
        if (!prompt_format_of("x." + text)) {
          throw Error(ErrorKind::kUsage,
                      "--format takes txt, jsonl, json, csv or tsv, not " + quote(text, 60));
        }
        a.format = text;
      });
  command.add_flag("--comments", a.comments, "Leave out lines that begin with # or //");
  command.add_flag("--strict", a.strict, "Draw nothing when a line is bad");
  command.add_flag("--dry-run", a.dry_run,
                   "Refuse what the run would; print counts and estimates and draw nothing");
  command.add_flag("--expand", a.expand,
                   "Prompts are templates: {a|b}, {2$$a|b|c}, __name__, ${name=text}");
  command.add_flag("--combinatorial", a.combinatorial,
                   "With --expand: every combination instead of random ones");
  command.add_option("--wildcards", a.wildcards, "Directory of the __name__ files")
      ->type_name("DIR")
      ->capture_default_str();
  add_checked(command, "-c,--count,-b,--batch-count", "N",
              "Pictures of a line that does not say, with seeds counting up (default 1)",
              [&a](const std::string& text) {
                a.count = static_cast<int64_t>(
                    parse_whole("--count", text, 1, uint64_t{kMostPicturesOfALine}));
              });
  add_count_aliases_of_batch(command);
}

// A prompt file's pattern is bad data, an option's a matter of usage.
void check_name_pattern(const std::string& text) {
  try {
    check_output_name(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, std::string("--name: ") + error.what());
  }
}

void add_writing(CLI::App& command, BatchArguments& a) {
  command.add_option("-o,--output", a.output, "Directory for the pictures and metadata.jsonl")
      ->type_name("DIR")
      ->required();
  add_checked(command, "--name", "PATTERN",
              "Names of the pictures: {id} {line} {number:04} {index} {seed} {slug} {prompt} or a "
              "column, with folders; a line's own output comes first",
              [&a](const std::string& text) {
                check_name_pattern(text);
                a.name = text;
              });
  add_checked(command, "--resume", "NAME",
              "What counts as done: trust the manifest and sizes (default), or verify every hash",
              [&a](const std::string& text) {
                a.resume = choice<Resume>("--resume", text,
                                          {{"trust", Resume::kTrust}, {"verify", Resume::kVerify}});
              });
  command.add_flag_callback(
      "--fresh", [&a] { a.resume = Resume::kFresh; },
      "Remove the pictures of earlier runs and begin again");
  command.add_flag("-y,--overwrite", a.overwrite, "Replace files that are not of this batch");
  add_checked(command, "--save-as", "NAME", "png (default), jpg or webp",
              [&a](const std::string& text) {
                a.save_as = choice<PictureFormat>("--save-as", text,
                                                  {{"png", PictureFormat::kPng},
                                                   {"jpg", PictureFormat::kJpeg},
                                                   {"webp", PictureFormat::kWebp}});
              });
  command.add_flag_callback(
      "--no-metadata", [&a] { a.metadata = false; },
      "Pictures are pixels only; metadata.jsonl still says everything");
  command.add_flag("--grid", a.grid, "Also a contact sheet of the first pictures, beside DIR");
  command.add_flag("--grid-per-prompt", a.grid_per_prompt,
                   "Also DIR-grids/ID.png for every line: its pictures side by side, without gaps");
  command.add_flag("--gallery", a.gallery, "Also DIR/index.html, as the gallery command makes it");
  command.add_flag("--jsonl", a.jsonl, "Print an event a line as JSON instead of paths");
  add_checked(command, "--progress", "NAME", "auto (default), bar, line or none",
              [&a](const std::string& text) {
                a.progress = choice<ProgressKind>("--progress", text,
                                                  {{"auto", ProgressKind::kAuto},
                                                   {"bar", ProgressKind::kBar},
                                                   {"line", ProgressKind::kLine},
                                                   {"none", ProgressKind::kNone}});
              });
}

void add_batch(CLI::App& app, std::function<int()>& chosen) {
  auto state = std::make_shared<BatchArguments>();
  BatchArguments& a = *state;
  CLI::App& command = *app.add_subcommand("batch", "Draw a file of prompts into a directory");
  add_reading(command, a);
  add_writing(command, a);
  add_setting_options(
      command, a.settings,
      "Seed of every line without one; -1 gives each a random one that stays with the directory "
      "(default: made from the prompt)");
  add_best_of_options(command, a.best_of, a.match_question);
  add_lanes(command, a.lanes);
  command.add_option("--shard", a.shard, "Draw part I of N only: I/N, auto or auto/N")
      ->type_name("I/N");
  command
      .add_option("--devices,--device", a.devices,
                  "One or more of them, such as cpu,cpu (default: BIFRONS_DEVICE, or auto)")
      ->type_name("LIST");
  add_threads(command, a.threads);
  add_model(command, a.model);
  add_verbosity_options(command, a.verbosity);
  command.callback([state, &command, &chosen] {
    fill_machine(state->model, state->devices, state->threads, command.count("--threads") > 0);
    chosen = [state] { return run(std::move(*state)); };
  });
}

void add_merge(CLI::App& app, std::function<int()>& chosen) {
  auto state = std::make_shared<MergeArguments>();
  CLI::App& command = *app.add_subcommand("merge", "Join what the shards of a batch drew");
  // A scalar callback a word: a vector of strings would split "[a, b]".
  command
      .add_option_function<std::vector<std::string>>(
          "DIR", [state](const std::vector<std::string>& words) { state->directories = words; },
          "Directories that batch wrote to")
      ->required();
  command
      .add_option("-o,--output", state->output,
                  "Directory for all of it; left out: one DIR, joined where it is")
      ->type_name("DIR");
  command.add_flag("--check", state->check, "Compare every file with its SHA-256; change nothing");
  add_verbosity_options(command, state->verbosity);
  command.callback([state, &chosen] { chosen = [state] { return run(*state); }; });
}

void add_gallery(CLI::App& app, std::function<int()>& chosen) {
  auto state = std::make_shared<GalleryArguments>();
  CLI::App& command = *app.add_subcommand("gallery", "Write DIR/index.html: look at a batch");
  command.add_option("DIR", state->directory, "A directory that batch wrote to")->required();
  add_verbosity_options(command, state->verbosity);
  command.callback([state, &chosen] { chosen = [state] { return run(*state); }; });
}

void add_grid(CLI::App& app, std::function<int()>& chosen) {
  auto state = std::make_shared<GridArguments>();
  CLI::App& command = *app.add_subcommand("grid", "Draw a table of pictures over one or two axes");
  command.add_option("PROMPT", state->prompt, "The prompt, whatever it begins with")->required();
  command
      .add_option(
          "-x,--across", state->x,
          axis_examples() +
              ": the first word in the prompt is replaced by the others; a value with a comma "
              "stands in double quotes")
      ->type_name("AXIS")
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw)  // the first would be lost
      ->required();
  command.add_option("-y,--down", state->y, "A second axis")
      ->type_name("AXIS")
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  command.add_option("-o,--output", state->output, "File; .png .jpg .webp")
      ->type_name("FILE")
      ->required();
  command.add_flag("--overwrite", state->overwrite, "Replace an existing file");
  command.add_option("--font", state->font, "A TrueType font for the captions")->type_name("FILE");
  add_setting_options(command, state->settings,
                      "Seed where no axis sets it; -1 is random (default 0)");
  add_lanes(command, state->lanes);
  command.add_option("--device", state->device, "auto or cpu (default: BIFRONS_DEVICE, or auto)")
      ->type_name("NAME");
  add_threads(command, state->threads);
  add_model(command, state->model);
  add_verbosity_options(command, state->verbosity);
  command.callback([state, &command, &chosen] {
    fill_machine(state->model, state->device, state->threads, command.count("--threads") > 0);
    chosen = [state] { return run(std::move(*state)); };
  });
}

}  // namespace

void add_batch_commands(CLI::App& app, std::function<int()>& chosen) {
  add_batch(app, chosen);
  add_grid(app, chosen);
  add_gallery(app, chosen);
  add_merge(app, chosen);
}

}  // namespace bifrons::cli
