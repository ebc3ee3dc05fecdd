// `bifrons batch`: its options.
#include "tools/bifrons/batch.h"

#include <algorithm>
#include <memory>

#include "src/io/quote.h"
#include "src/prompts/picture_name.h"
#include "src/prompts/prompt_reader.h"
#include "tools/bifrons/batch_thoughts.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/setting_options.h"

namespace bifrons::cli {
namespace {

void add_reading(CLI::App& command, BatchArguments& a) {
  add_operands(command, "FILE", a.files,
               "Prompts: .txt .jsonl .json .csv .tsv, one or several; - reads stdin; a folder: "
               "each .txt file in it is a prompt, and its picture is called after it");
  add_value(
      command, "--format", "NAME",
      [&a](const std::string& text) {
        if (!prompt_format_of("x." + text)) {
          refuse_value("--format", "txt, jsonl, json, csv or tsv", text);
        }
        a.format = text;
      },
      "Of FILE: txt, jsonl, json, csv or tsv (default: its ending)");
  add_flag(command, "--comments", a.comments, "Leave out lines that begin with # or //");
  add_flag(command, "--strict", a.strict, "Draw nothing when a line is bad");
  add_flag(command, "--dry-run", a.dry_run,
           "Refuse what the run would; print counts and estimates and draw nothing");
  add_flag(command, "--expand", a.expand,
           "Prompts are templates: {a|b}, {2$$a|b|c}, __name__, ${name=text}");
  add_flag(command, "--combinatorial", a.combinatorial,
           "With --expand: every combination instead of random ones");
  add_text(command, "--wildcards", "DIR", a.wildcards, "Directory of the __name__ files");
  add_whole(command, "-c,--count,-b,--batch-count", "N", 1, kMostPicturesOfALine, a.count,
            "Pictures of a line that does not say, with seeds counting up (default 1)");
  add_count_aliases_of_batch(command);
}

// A bad pattern in a prompt file is an error of kind data. In an option it is one of kind usage.
void check_name_pattern(const std::string& text) {
  try {
    check_output_name(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, std::string("--name: ") + error.what());
  }
}

void add_writing(CLI::App& command, BatchArguments& a) {
  add_text(command, "-o,--output", "DIR", a.output,
           "Directory for the pictures and metadata.jsonl");
  add_value(
      command, "--name", "PATTERN",
      [&a](const std::string& text) {
        check_name_pattern(text);
        a.name = text;
      },
      "Names of the pictures: {id} {line} {number:04} {index} {seed} {slug} {prompt} or a column, "
      "with folders; a line's own output comes first");
  add_choice<Resume>(
      command, "--resume", {{"trust", Resume::kTrust}, {"verify", Resume::kVerify}}, a.resume,
      "What counts as done: trust the manifest and sizes (default), or verify every hash");
  add_flag(
      command, "--fresh", [&a] { a.resume = Resume::kFresh; },
      "Remove the pictures of earlier runs and begin again");
  add_flag(command, "-y,--overwrite", a.overwrite, "Replace files that are not of this batch");
  add_choice<PictureFormat>(
      command, "--save-as",
      {{"png", PictureFormat::kPng}, {"jpg", PictureFormat::kJpeg}, {"webp", PictureFormat::kWebp}},
      a.save_as, "png (default), jpg or webp");
  add_flag(
      command, "--no-metadata", [&a] { a.metadata = false; },
      "Pictures are pixels only; metadata.jsonl still says everything");
  add_flag(command, "--grid", a.grid, "Also a contact sheet of the first pictures, beside DIR");
  add_flag(command, "--grid-per-prompt", a.grid_per_prompt,
           "Also DIR-grids/ID.png for every line: its pictures side by side, without gaps");
  add_flag(command, "--gallery", a.gallery, "Also DIR/index.html, as the gallery command makes it");
  add_flag(command, "--jsonl", a.jsonl, "Print an event a line as JSON instead of paths");
  add_choice<ProgressKind>(command, "--progress",
                           {{"auto", ProgressKind::kAuto},
                            {"bar", ProgressKind::kBar},
                            {"line", ProgressKind::kLine},
                            {"none", ProgressKind::kNone}},
                           a.progress, "auto (default), bar, line or none");
}

}  // namespace

JobOptions job_options(const BatchArguments& arguments) {
  JobOptions options;
  options.defaults = request_of(arguments.settings);
  options.random_seed = arguments.settings.random_seed;
  if (!options.random_seed) options.seed = arguments.settings.seed;
  options.count = arguments.count;
  options.rope = arguments.settings.rope.value_or(RopeMode::kF32);
  options.format = arguments.save_as;
  options.name = arguments.name;
  options.metadata = arguments.metadata;
  options.expand = arguments.expand;
  options.combinatorial = arguments.combinatorial;
  options.wildcards = arguments.wildcards;
  options.best_of = arguments.best_of.candidates.value_or(0);
  options.question = arguments.best_of.question;
  return options;
}

std::vector<std::string> device_list(const std::string& text) {
  std::vector<std::string> devices;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    devices.push_back(text.substr(from, comma - from));
    if (devices.back().empty()) {
      throw Error(ErrorKind::kUsage,
                  "--devices takes names with commas between, not " + quote(text, 60));
    }
    from = comma + 1;
  }
  return devices;
}

void add_batch(CLI::App& app, Chosen& chosen) {
  const auto batch = std::make_shared<BatchArguments>();
  CLI::App& command =
      add_command(app, "batch", "Draw a file of prompts into a directory", chosen, [batch] {
        if (batch->combinatorial && !batch->expand) {
          throw Error(ErrorKind::kUsage, "--combinatorial goes with --expand");
        }
        const auto& files = batch->files;
        if (batch->think.thought == "-" &&
            std::find(files.begin(), files.end(), "-") != files.end()) {
          throw Error(ErrorKind::kUsage, "only one of prompts and thought can come from stdin");
        }
        if (batch->think_only) return write_batch_thoughts(*batch);
        if (batch->output.empty()) throw Error(ErrorKind::kUsage, "--output is required");
        return run_batch(*batch);
      });
  add_reading(command, *batch);
  add_writing(command, *batch);
  add_setting_options(
      command, batch->settings,
      "Seed of every line without one; -1 gives each a random one that stays with the directory "
      "(default: made from the prompt)");
  batch->best_of.add_to(command);
  batch->think.add_to(command);
  add_flag(command, "--think-only", batch->think_only,
           "Draw nothing: write the thoughts to stdout, as a prompt file that --think draws from");
  batch->edit.add_to(command);
  add_lanes(command, batch->lanes);
  add_text(command, "--shard", "I/N", batch->shard, "Draw part I of N only: I/N, auto or auto/N");
  batch->engine.add_to(command, true);
  add_speculate(command, batch->engine.speculate);
  batch->verbosity.add_to(command);
}

}  // namespace bifrons::cli
