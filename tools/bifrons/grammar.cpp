// The options one by one. Values are checked as they are read, so a refusal names the option.
#include "tools/bifrons/grammar.h"

#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/bench.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/setting_options.h"

namespace bifrons::cli {
namespace {

constexpr int64_t kMostPictures = 9999;

void add_size_options(CLI::App& command, Grammar& grammar) {
  GenerateArguments& arguments = grammar.generate;
  const auto pixels = [](const char* name) {
    return [name](const std::string& text) {
      return static_cast<int64_t>(parse_whole(name, text, 1, 1u << 20));
    };
  };
  add_number<int64_t>(command, "-W,--width", "Must be the model's own", arguments.width,
                      pixels("--width"));
  add_number<int64_t>(command, "-H,--height", "Must be the model's own", arguments.height,
                      pixels("--height"));
  command
      .add_option_function<std::string>(
          "--size",
          [&arguments, pixels](const std::string& text) {
            const size_t by = text.find('x');
            if (by == std::string::npos || text.find_first_not_of("0123456789x") < text.size() ||
                by == 0 || by + 1 == text.size()) {
              throw Error(ErrorKind::kUsage,
                          "--size takes WIDTHxHEIGHT, such as 384x384, not " + quote(text, 60));
            }
            arguments.width = pixels("--size")(text.substr(0, by));
            arguments.height = pixels("--size")(text.substr(by + 1));
          },
          "Must be the model's own")
      ->type_name("WxH");
}

void add_generate(Grammar& grammar) {
  CLI::App& command =
      *grammar.app.add_subcommand("generate", "Draw pictures (also without a command)");
  command.add_option("TEXT", grammar.text, "The prompt; - reads it from stdin");
  command.add_option("-p,--prompt", grammar.flagged, "The prompt, whatever it begins with")
      ->type_name("TEXT");
  add_drawing_command_options(command, grammar, grammar.generate);
  add_size_options(command, grammar);
}

void add_decode(Grammar& grammar) {
  DecodeArguments& arguments = grammar.decode;
  CLI::App& command = *grammar.app.add_subcommand("decode", "Make a picture of image codes");
  command.add_option("TOKENS", arguments.tokens, "A --tokens-out file or a JSON array; - is stdin")
      ->required();
  command.add_option("-o,--output", arguments.output, "As for generate")->type_name("FILE");
  command.add_flag("-y,--overwrite", arguments.overwrite, "Replace existing files");
  command.add_flag("--json", arguments.json, "Print one JSON object instead of paths");
  command.add_flag_callback(
      "--no-metadata", [&arguments] { arguments.metadata = false; }, "Leave out the AI mark");
  add_machine_options(command, grammar, arguments.model);
  add_verbosity_options(command, arguments.verbosity);
}

void add_small_commands(Grammar& grammar) {
  CLI::App& app = grammar.app;
  CLI::App& info = *app.add_subcommand("info", "Show what pictures say about themselves");
  add_words(info, "FILE", "PNG, JPEG or WebP files; - is stdin", grammar.info.files).required();
  info.add_flag("--json", grammar.info.json, "Print a JSON object a picture, each on its line");

  CLI::App& inspect = *app.add_subcommand("inspect", "Show what a model directory holds");
  inspect.add_option("-m,--model", grammar.inspect.model, "Model directory")->type_name("DIR");
  inspect.add_flag("--json", grammar.inspect.json, "Print one JSON object");

  CLI::App& tokenize = *app.add_subcommand("tokenize", "Print the token ids of a text");
  tokenize.add_option("TEXT", grammar.tokenize_text, "The text; - reads it from stdin, every byte")
      ->required();
  tokenize.add_option("-m,--model", grammar.tokenize.model, "Directory with the tokenizer files")
      ->type_name("DIR");

  app.add_subcommand("devices", "List what pictures can be drawn on");

  CLI::App& doctor = *app.add_subcommand("doctor", "Check this build, this machine and the model");
  doctor.add_option("-m,--model", grammar.doctor.model, "Model directory")->type_name("DIR");
  doctor.add_option("-o,--output", grammar.doctor.directory, "Directory pictures would go to")
      ->type_name("DIR");

  CLI::App& completion = *app.add_subcommand("completion", "Print a shell's completion script");
  completion.add_option("SHELL", grammar.shell, "bash, zsh or fish")->required();

  CLI::App& help = *app.add_subcommand("help", "Say what a command takes, as its --help does");
  add_words(help, "COMMAND", "The command; left out: all of them", grammar.helped);
  CLI::App& version = *app.add_subcommand("version", "Print the version, as --version does");
  version.add_flag("-v,--verbose", grammar.version_verbose, "Say what is compiled in, too");
}

}  // namespace

CLI::Option& add_words(CLI::App& command, const char* name, const char* about,
                       std::vector<std::string>& words) {
  return *command.add_option_function<std::vector<std::string>>(
      name, [&words](const std::vector<std::string>& given) { words = given; }, about);
}

void add_machine_options(CLI::App& command, Grammar& grammar, std::string& model) {
  command.add_option("-m,--model", model, "Model directory (default: BIFRONS_MODEL, or storybook)")
      ->type_name("DIR");
  command
      .add_option("--device", grammar.device,
                  "auto, cpu[:ISA] or cuda[:N] (default: BIFRONS_DEVICE, or auto)")
      ->type_name("NAME");
  command
      .add_option_function<std::string>(
          "-t,--threads",
          [&grammar](const std::string& value) {
            grammar.threads = static_cast<int>(parse_whole("--threads", value, 0, kMostThreads));
            grammar.threads_given = true;
          },
          "CPU threads; 0 is all cores (default: BIFRONS_THREADS, or 0)")
      ->type_name("N");
}

void add_verbosity_options(CLI::App& command, Verbosity& verbosity) {
  command.add_flag("-q,--quiet", verbosity.quiet, "Say nothing but errors");
  command.add_flag("-v,--verbose", verbosity.verbose, "Say more");
}

void add_best_of_options(CLI::App& command, std::optional<int64_t>& best_of,
                         std::string& question) {
  add_number<int64_t>(command, "--best-of",
                      "Draw N for each picture and keep the one that the model itself says matches "
                      "best (default 1)",
                      best_of, [](const std::string& text) {
                        return static_cast<int64_t>(parse_whole("--best-of", text, 1, 256));
                      });
  command
      .add_option_function<std::string>(
          "--match-question",
          [&question](const std::string& text) {
            check_text("the question", text);
            if (text.empty()) throw CLI::ValidationError("--match-question", "takes a question");
            question = text;
          },
          "What --best-of asks of each, to be answered with Yes or No; {prompt} is the prompt")
      ->type_name("TEXT");
}

void add_drawing_command_options(CLI::App& command, Grammar& grammar,
                                 GenerateArguments& arguments) {
  add_setting_options(command, arguments.settings,
                      "Seed of the first picture; -1 is random (default)");
  command
      .add_option_function<std::string>(
          "-c,--count,-b,--batch-count",
          [&arguments](const std::string& text) {
            arguments.count = static_cast<int64_t>(parse_whole("--count", text, 1, kMostPictures));
          },
          "Number of pictures, with seeds counting up (default 1)")
      ->type_name("N");
  add_count_aliases(command, arguments.count, kMostPictures);
  command
      .add_option("-o,--output", arguments.output,
                  "File, pattern with {seed} {slug} {index:04} {model} or %04d, directory/, or - "
                  "for stdout; .png .jpg .webp")
      ->type_name("FILE");
  command.add_flag("-y,--overwrite", arguments.overwrite, "Replace existing files");
  add_best_of_options(command, arguments.best_of, arguments.match_question);
  command.add_flag("--grid", arguments.grid, "Also write all pictures as one contact sheet");
  command
      .add_option("--like", arguments.like,
                  "Take every setting from this picture, be it of another program; flags win")
      ->type_name("FILE");
  command.add_option("--tokens-out", arguments.tokens_out, "Also write the image codes as JSON")
      ->type_name("FILE");
  command.add_flag("--json", arguments.json, "Print one JSON object instead of paths");
  command.add_flag_callback(
      "--no-metadata", [&arguments] { arguments.metadata = false; },
      "Write pixels only: no prompt, no settings, no AI mark");
  add_machine_options(command, grammar, arguments.model);
  add_verbosity_options(command, arguments.verbosity);
}

void build_grammar(Grammar& grammar) {
  CLI::App& app = grammar.app;
  app.name("bifrons");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.require_subcommand(0, 1);
  app.footer(
      "A text in place of a command is drawn: bifrons \"a fox in the snow\"\n"
      "bifrons help COMMAND lists the options of a command.\n"
      "Environment: BIFRONS_MODEL, BIFRONS_DEVICE, BIFRONS_THREADS; flags win.");
  app.add_flag("-V,--version", grammar.version, "Print the version; with -v what is compiled in");
  app.add_flag("-v,--verbose", grammar.version_verbose, "With --version: say more");
  add_generate(grammar);
  add_decode(grammar);
  add_picture_commands(grammar);
  add_sight_commands(grammar);
  add_small_commands(grammar);
  add_batch_commands(app, grammar.chosen);
  add_bench_command(app, grammar.chosen);
}

}  // namespace bifrons::cli
