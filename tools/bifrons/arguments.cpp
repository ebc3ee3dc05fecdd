// The command line's grammar. CLI11 is slow to compile and stays in this file and completion.cpp.
#include "tools/bifrons/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "src/io/quote.h"
#include "tools/bifrons/bench.h"
#include "tools/bifrons/completion.h"
#include "tools/bifrons/text.h"

namespace bifrons {
namespace {

constexpr int64_t kMostPictures = 9999;
constexpr uint64_t kMostThreads = 1024;

// Everything any command can be given; one of them is chosen at the end.
struct Grammar {
  CLI::App app{"Draws pictures from text with Janus-Pro-style models."};
  bool version = false;
  bool version_verbose = false;
  std::string device;  // of generate and decode
  int threads = 0;
  bool threads_given = false;
  std::string text;     // the positional of generate
  std::string flagged;  // -p
  std::string size;
  std::string shell;
  std::string tokenize_text;
  GenerateArguments generate;
  DecodeArguments decode;
  InfoArguments info;
  InspectArguments inspect;
  TokenizeArguments tokenize;
  DoctorArguments doctor;
  std::function<int()> chosen;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// A text of ours or CLI11's with whatever the user typed made harmless.
std::string printable(const std::string& text) {
  const std::string quoted = quote(text, 400);
  return quoted.substr(1, quoted.size() - 2);
}

void add_machine_options(CLI::App& command, Grammar& grammar, std::string& model) {
  command.add_option("-m,--model", model, "Model directory (default: BIFRONS_MODEL, or storybook)")
      ->type_name("DIR");
  command.add_option("--device", grammar.device, "auto or cpu (default: BIFRONS_DEVICE, or auto)")
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

void add_talk_options(CLI::App& command, Talk& talk) {
  command.add_flag("-q,--quiet", talk.quiet, "Say nothing but errors");
  command.add_flag("-v,--verbose", talk.verbose, "Say more");
}

template <typename T>
void add_number(CLI::App& command, const char* names, const char* about, std::optional<T>& value,
                std::function<T(const std::string&)> parse) {
  command
      .add_option_function<std::string>(
          names, [&value, parse](const std::string& text) { value = parse(text); }, about)
      ->type_name("NUMBER");
}

void add_drawing_options(CLI::App& command, GenerateArguments& arguments) {
  Settings& settings = arguments.settings;
  command
      .add_option_function<std::string>(
          "-n,--negative-prompt",
          [&settings](const std::string& text) { settings.negative_prompt = text; },
          "What to steer away from")
      ->type_name("TEXT");
  add_number<uint64_t>(command, "-s,--seed", "Seed of the first picture (default: random)",
                       settings.seed, [](const std::string& text) {
                         return parse_whole("--seed", text, 0,
                                            std::numeric_limits<uint64_t>::max());
                       });
  add_number<double>(
      command, "--cfg,--cfg-scale,--guidance", "How hard the prompt steers (default 5)",
      settings.guidance,
      [](const std::string& text) { return parse_real("--cfg", text, 0, kLargestGuidance); });
  add_number<double>(
      command, "--temp,--temperature", "1 draws as trained, 0 takes the likeliest (default 1)",
      settings.temperature,
      [](const std::string& text) { return parse_real("--temp", text, 0, kLargestTemperature); });
  add_number<int64_t>(command, "--top-k", "Draw among the K likeliest codes; 0 is off (default)",
                      settings.top_k, [](const std::string& text) {
                        return static_cast<int64_t>(parse_whole("--top-k", text, 0, kLargestTopK));
                      });
  add_number<double>(
      command, "--top-p", "Draw among the likeliest codes of mass P; 1 is off", settings.top_p,
      [](const std::string& text) { return parse_real("--top-p", text, 0, 1, true); });
  command
      .add_option_function<std::string>(
          "--rope",
          [&settings](const std::string& text) {
            if (text != "f32" && text != "bf16") {
              throw Error(ErrorKind::kUsage, "--rope takes f32 or bf16, not " + quote(text, 60));
            }
            settings.rope = text == "bf16" ? RopeMode::kBf16 : RopeMode::kF32;
          },
          "Precision of rotary frequencies: f32 or bf16 (default f32)")
      ->type_name("NAME");
  command.add_flag_callback(
      "--allow-special", [&settings] { settings.allow_special = true; },
      "Special tokens written in the prompt count as such");
}

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
            if (by == std::string::npos) {
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
  GenerateArguments& arguments = grammar.generate;
  CLI::App& command =
      *grammar.app.add_subcommand("generate", "Draw pictures (also without a verb)");
  command.add_option("TEXT", grammar.text, "The prompt; - reads it from stdin");
  command.add_option("-p,--prompt", grammar.flagged, "The prompt, whatever it begins with")
      ->type_name("TEXT");
  add_drawing_options(command, arguments);
  command
      .add_option_function<std::string>(
          "-c,--count,-b,--batch-count",
          [&arguments](const std::string& text) {
            arguments.count = static_cast<int64_t>(parse_whole("--count", text, 1, kMostPictures));
          },
          "Number of pictures, with seeds counting up (default 1)")
      ->type_name("N");
  command
      .add_option("-o,--output", arguments.output,
                  "File, pattern with {seed} {slug} {index:04} {model} or %04d, directory/, or - "
                  "for stdout; .png .jpg .webp")
      ->type_name("FILE");
  command.add_flag("-y,--overwrite", arguments.overwrite, "Replace existing files");
  command.add_flag("--grid", arguments.grid, "Also write all pictures as one contact sheet");
  command.add_option("--like", arguments.like, "Take every setting from this picture; flags win")
      ->type_name("FILE");
  command.add_option("--tokens-out", arguments.tokens_out, "Also write the image codes as JSON")
      ->type_name("FILE");
  command.add_flag("--json", arguments.json, "Print one JSON object instead of paths");
  command.add_flag_callback(
      "--no-metadata", [&arguments] { arguments.metadata = false; },
      "Write pixels only: no prompt, no settings, no AI mark");
  add_machine_options(command, grammar, arguments.model);
  add_size_options(command, grammar);
  add_talk_options(command, arguments.talk);
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
  add_talk_options(command, arguments.talk);
}

void add_small_commands(Grammar& grammar) {
  CLI::App& app = grammar.app;
  CLI::App& info = *app.add_subcommand("info", "Show what a picture says about itself");
  info.add_option("FILE", grammar.info.file, "A PNG, JPEG or WebP file")->required();
  info.add_flag("--json", grammar.info.json, "Print one JSON object");

  CLI::App& inspect = *app.add_subcommand("inspect", "Show what a model directory holds");
  inspect.add_option("-m,--model", grammar.inspect.model, "Model directory")->type_name("DIR");
  inspect.add_flag("--json", grammar.inspect.json, "Print one JSON object");

  CLI::App& tokenize = *app.add_subcommand("tokenize", "Print the token ids of a text");
  tokenize.add_option("TEXT", grammar.tokenize_text, "The text; - reads it from stdin, every byte")
      ->required();
  tokenize.add_option("-m,--model", grammar.tokenize.model, "Directory with the tokenizer files")
      ->type_name("DIR");

  CLI::App& doctor = *app.add_subcommand("doctor", "Check this build, this machine and the model");
  doctor.add_option("-m,--model", grammar.doctor.model, "Model directory")->type_name("DIR");
  doctor.add_option("-o,--output", grammar.doctor.directory, "Directory pictures would go to")
      ->type_name("DIR");

  CLI::App& completion = *app.add_subcommand("completion", "Print a shell's completion script");
  completion.add_option("SHELL", grammar.shell, "bash, zsh or fish")->required();
}

std::vector<std::string_view> verb_names(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.emplace_back(command->get_name());
  }
  return names;
}

// A word that is rather a mistyped command than a picture of it: one word of plain letters.
bool looks_like_a_command(std::string_view word) {
  return !word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), [](char c) {
    return c > ' ' && static_cast<unsigned char>(c) < 0x7f;
  });
}

[[noreturn]] void refuse_word(const std::string& word, bool alone, const CLI::App& app) {
  std::string sentence = "unknown command " + quote(word, 60);
  const std::vector<std::string_view> verbs = verb_names(app);
  const std::string_view meant = nearest(word, verbs);
  sentence += meant.empty() ? std::string(".") : fmt::format("; did you mean '{}'?", meant);
  sentence += alone ? " To draw it, write: bifrons -p " + quote(word, 60)
                    : std::string(" A prompt of several words goes in quotes.");
  throw Error(ErrorKind::kUsage, sentence);
}

[[noreturn]] void refuse_extras(const CLI::App& command) {
  const std::vector<std::string> extras = command.remaining(true);
  const std::string word = extras.empty() ? std::string() : extras.front();
  if (!word.starts_with('-')) {
    throw Error(ErrorKind::kUsage, "unexpected argument " + quote(word, 60) +
                                       "; a text of several words goes in quotes");
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view meant = nearest(word.substr(0, word.find('=')), known);
  throw Error(ErrorKind::kUsage,
              "unknown option " + quote(word, 60) +
                  (meant.empty() ? "" : fmt::format("; did you mean {}?", meant)) +
                  (word.find(' ') == std::string::npos
                       ? ""
                       : " A prompt that begins with a dash goes after -p or --."));
}

void check_text(std::string_view name, const std::string& text) {
  if (const auto at = invalid_utf8(text)) {
    throw Error(ErrorKind::kUsage, fmt::format("{} is not valid UTF-8 at byte {}", name, *at));
  }
}

// Flags over environment over defaults, for what all commands with an engine share.
void fill_machine(Grammar& grammar) {
  if (grammar.device.empty()) grammar.device = environment("BIFRONS_DEVICE");
  if (grammar.device.empty()) grammar.device = "auto";
  const std::string threads = environment("BIFRONS_THREADS");
  if (!grammar.threads_given && !threads.empty()) {
    grammar.threads = static_cast<int>(parse_whole("BIFRONS_THREADS", threads, 0, kMostThreads));
  }
  const std::string model = environment("BIFRONS_MODEL");
  for (std::string* each : {&grammar.generate.model, &grammar.decode.model, &grammar.inspect.model,
                            &grammar.tokenize.model, &grammar.doctor.model}) {
    if (each->empty()) *each = model;
  }
  grammar.generate.device = grammar.decode.device = grammar.device;
  grammar.generate.threads = grammar.decode.threads = grammar.threads;
}

Command choose_generate(Grammar& grammar, const CLI::App& command) {
  GenerateArguments& arguments = grammar.generate;
  const bool positional = command.count("TEXT") > 0;
  const bool flagged = command.count("--prompt") > 0;
  if (positional && flagged) {
    throw Error(ErrorKind::kUsage, "the prompt was given twice: as an argument and with --prompt");
  }
  if (positional || flagged) {
    const std::string& prompt = positional ? grammar.text : grammar.flagged;
    check_text("the prompt", prompt);
    if (prompt == "-") {
      arguments.prompt_from_stdin = true;
    } else {
      arguments.settings.prompt = prompt;
    }
  } else if (arguments.like.empty()) {
    throw Error(ErrorKind::kUsage, "no prompt; try: bifrons \"a fox in the snow\"");
  }
  if (arguments.settings.negative_prompt) {
    check_text("the negative prompt", *arguments.settings.negative_prompt);
  }
  if (arguments.output == "-" && arguments.json) {
    throw Error(ErrorKind::kUsage, "--output - and --json both want stdout");
  }
  return std::move(arguments);
}

Command choose(Grammar& grammar) {
  const std::vector<const CLI::App*> given =
      const_cast<const CLI::App&>(grammar.app).get_subcommands([](const CLI::App* command) {
        return command->parsed();
      });
  if (grammar.version) return VersionArguments{grammar.version_verbose};
  if (given.empty()) throw Error(ErrorKind::kUsage, "nothing to do; try: bifrons --help");
  if (grammar.chosen) return std::move(grammar.chosen);
  const std::string& name = given.front()->get_name();
  fill_machine(grammar);
  if (name == "generate") return choose_generate(grammar, *given.front());
  if (name == "decode") {
    if (grammar.decode.output == "-" && grammar.decode.json) {
      throw Error(ErrorKind::kUsage, "--output - and --json both want stdout");
    }
    return std::move(grammar.decode);
  }
  if (name == "info") return std::move(grammar.info);
  if (name == "inspect") return std::move(grammar.inspect);
  if (name == "doctor") return std::move(grammar.doctor);
  if (name == "tokenize") {
    check_text("the text", grammar.tokenize_text);
    grammar.tokenize.from_stdin = grammar.tokenize_text == "-";
    grammar.tokenize.text = std::move(grammar.tokenize_text);
    return std::move(grammar.tokenize);
  }
  check(name == "completion", "a command without a reader");
  if (grammar.shell != "bash" && grammar.shell != "zsh" && grammar.shell != "fish") {
    throw Error(ErrorKind::kUsage,
                "completion knows bash, zsh and fish, not " + quote(grammar.shell, 60));
  }
  return ShowArguments{completion_script(grammar.app, grammar.shell)};
}

// The arguments with `generate` put in front when no command was named.
std::vector<std::string> with_verb(const CLI::App& app, int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) return words;
  const std::vector<std::string_view> verbs = verb_names(app);
  const auto is_verb = [&](const std::string& word) {
    return std::find(verbs.begin(), verbs.end(), word) != verbs.end();
  };
  const bool asks_version = std::find(words.begin(), words.end(), "--version") != words.end();
  if (is_verb(words[0]) || asks_version || words[0] == "-h" || words[0] == "--help") return words;
  if (looks_like_a_command(words[0])) refuse_word(words[0], words.size() == 1, app);
  words.insert(words.begin(), "generate");
  return words;
}

}  // namespace

Command parse_arguments(int argc, const char* const* argv) {
  Grammar grammar;
  CLI::App& app = grammar.app;
  app.name("bifrons");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.require_subcommand(0, 1);
  app.footer(
      "A text in place of a command is drawn: bifrons \"a fox in the snow\"\n"
      "Environment: BIFRONS_MODEL, BIFRONS_DEVICE, BIFRONS_THREADS; flags win.");
  app.add_flag("--version", grammar.version, "Print the version; with -v what is compiled in");
  app.add_flag("-v,--verbose", grammar.version_verbose, "With --version: say more");
  add_generate(grammar);
  add_decode(grammar);
  add_small_commands(grammar);
  add_bench_command(app, grammar.chosen);

  std::vector<std::string> words = with_verb(app, argc, argv);
  const bool shorthand = argc > 1 && !words.empty() && words[0] == "generate" &&
                         std::string_view(argv[1]) != "generate";
  const bool dashes = std::find(words.begin(), words.end(), "--") != words.end();
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  const auto command_of = [&]() -> const CLI::App& {
    const std::vector<CLI::App*> given = app.get_subcommands();
    return given.empty() ? app : *given.front();
  };
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    return ShowArguments{command_of().help()};
  } catch (const CLI::ExtrasError&) {
    refuse_extras(command_of());
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::kUsage, printable(error.what()));
  }
  if (shorthand && !dashes && grammar.text != "-" && looks_like_a_command(grammar.text)) {
    refuse_word(grammar.text, true, app);
  }
  return choose(grammar);
}

}  // namespace bifrons
