// From words to a command. CLI11 is slow to compile: it stays here, in grammar.cpp, completion.cpp
// and the benchmark.
#include "tools/bifrons/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/completion.h"
#include "tools/bifrons/environment.h"
#include "tools/bifrons/grammar.h"
#include "tools/bifrons/words.h"

namespace bifrons::cli {

void check_text(std::string_view name, const std::string& text) {
  if (const auto at = invalid_utf8(text)) {
    throw Error(ErrorKind::kUsage, fmt::format("{} is not valid UTF-8 at byte {}", name, *at));
  }
}

namespace {

// A text of ours or CLI11's with whatever the user typed made harmless.
std::string printable(const std::string& text) {
  const std::string quoted = quote(text, 400);
  return quoted.substr(1, quoted.size() - 2);
}

std::vector<std::string_view> subcommand_names(const CLI::App& app) {
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

// A command that stands behind options, where it would be a prompt.
void refuse_late_command(const std::vector<std::string>& words, const CLI::App& app) {
  const std::vector<std::string_view> subcommands = subcommand_names(app);
  for (const std::string& word : words) {
    if (std::find(subcommands.begin(), subcommands.end(), word) == subcommands.end()) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("the command goes first: bifrons {} ...; to draw the word, write: "
                            "bifrons -p {}",
                            word, word));
  }
}

[[noreturn]] void refuse_word(const std::string& word, bool alone, const CLI::App& app) {
  std::string sentence = "unknown command " + quote(word, 60);
  const std::vector<std::string_view> subcommands = subcommand_names(app);
  const std::string_view meant = nearest(lower_case(word), subcommands);
  sentence += meant.empty() ? std::string(".") : fmt::format("; did you mean '{}'?", meant);
  sentence += alone ? " To draw it, write: bifrons -p " + quote(word, 60)
                    : std::string(" A prompt of several words goes in quotes.");
  throw Error(ErrorKind::kUsage, sentence);
}

// The command that --info or --batch was meant to be.
std::string_view subcommand_behind_dashes(const std::string& option, const CLI::App& app) {
  if (!option.starts_with("--")) return {};
  for (const std::string_view subcommand : subcommand_names(app)) {
    if (option.substr(2) == subcommand) return subcommand;
  }
  return {};
}

// An option whose hyphens a word processor or a web page has made a dash of (U+2010 to U+2015, and
// the minus) as it was meant; any other word as it is.
std::string with_hyphens(const std::string& word) {
  const auto is_dash = [&](size_t at) {
    const std::string dash = word.substr(at, 3);
    return dash == "\xe2\x88\x92" || (dash >= "\xe2\x80\x90" && dash <= "\xe2\x80\x95");
  };
  size_t at = 0;
  while (is_dash(at)) at += 3;
  if (at == 0 || at == word.size()) return word;
  const std::string name = word.substr(at);
  return (name.find('=') == 1 || name.size() == 1 ? "-" : "--") + name;
}

[[noreturn]] void refuse_extras(const CLI::App& command, const CLI::App& app) {
  const std::vector<std::string> extras = command.remaining(true);
  const std::string word = extras.empty() ? std::string() : extras.front();
  if (word == "--") {
    throw Error(ErrorKind::kUsage,
                "after -- comes the prompt and nothing else; options go before it");
  }
  if (const std::string meant = with_hyphens(word); meant != word) {
    throw Error(ErrorKind::kUsage,
                quote(word, 60) + " begins with a dash of typography; write " + quote(meant, 60));
  }
  if (!word.starts_with('-')) {
    throw Error(ErrorKind::kUsage, "unexpected argument " + quote(word, 60) +
                                       "; a text of several words goes in quotes");
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string name = word.substr(0, word.find('='));
  const std::string_view meant = nearest(name, known);
  const std::string_view subcommand = subcommand_behind_dashes(name, app);
  throw Error(
      ErrorKind::kUsage,
      "unknown option " + quote(word, 60) +
          (!subcommand.empty() ? fmt::format("; a command has no dashes: bifrons {}", subcommand)
           : meant.empty()     ? std::string()
                               : fmt::format("; did you mean {}?", meant)) +
          (word.find(' ') == std::string::npos
               ? ""
               : " A prompt that begins with a dash goes after -p or --."));
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
  for (std::string* each :
       {&grammar.generate.model, &grammar.decode.model, &grammar.inspect.model,
        &grammar.tokenize.model, &grammar.doctor.model, &grammar.sight.model,
        &grammar.vary.drawing.model, &grammar.encode.model, &grammar.reconstruct.model}) {
    if (each->empty()) *each = model;
  }
  grammar.generate.device = grammar.decode.device = grammar.sight.device = grammar.device;
  grammar.vary.drawing.device = grammar.encode.device = grammar.reconstruct.device = grammar.device;
  grammar.vary.drawing.threads = grammar.encode.threads = grammar.reconstruct.threads =
      grammar.threads;
  grammar.generate.threads = grammar.decode.threads = grammar.sight.threads = grammar.threads;
}

void refuse_two_on_stdout(const std::string& output, bool json) {
  if (output == "-" && json) {
    throw Error(ErrorKind::kUsage, "--output - and --json both want stdout");
  }
}

void take_prompt(const std::string& prompt, GenerateArguments& arguments) {
  check_text("the prompt", prompt);
  if (prompt == "-") {
    arguments.prompt_from_stdin = true;
  } else {
    arguments.settings.prompt = prompt;
  }
}

void check_drawing(const GenerateArguments& arguments) {
  check_text("the negative prompt", arguments.settings.negative_prompt.value_or(""));
  refuse_two_on_stdout(arguments.output, arguments.json);
}

Command choose_vary(Grammar& grammar, const CLI::App& command) {
  VaryArguments& vary = grammar.vary;
  if (command.count("--prompt") > 0) {
    take_prompt(grammar.varied_prompt, vary.drawing);
  } else if (vary.drawing.like.empty()) {
    throw Error(ErrorKind::kUsage, "no prompt; say with -p what the picture is to show");
  }
  if (vary.keep_rows.has_value() + vary.strength.has_value() + !vary.mask.empty() > 1) {
    throw Error(ErrorKind::kUsage, "give one of --keep-rows, --mask and --strength");
  }
  if ((vary.image == "-") + (vary.mask == "-") + vary.drawing.prompt_from_stdin > 1) {
    throw Error(ErrorKind::kUsage, "only one of picture, mask and prompt can come from stdin");
  }
  check_drawing(vary.drawing);
  return std::move(vary);
}

Command choose_generate(Grammar& grammar, const CLI::App& command) {
  GenerateArguments& arguments = grammar.generate;
  const bool positional = command.count("TEXT") > 0;
  const bool flagged = command.count("--prompt") > 0;
  if (positional && flagged) {
    throw Error(ErrorKind::kUsage, "the prompt was given twice: as an argument and with --prompt");
  }
  if (positional || flagged) {
    take_prompt(positional ? grammar.text : grammar.flagged, arguments);
  } else if (arguments.like.empty()) {
    throw Error(ErrorKind::kUsage, "no prompt; try: bifrons \"a fox in the snow\"");
  }
  check_drawing(arguments);
  return std::move(arguments);
}

Command choose_sight(Grammar& grammar, const std::string& name) {
  SightArguments& sight = grammar.sight;
  sight.command = name == "chat"  ? SightCommand::kChat
                  : name == "ask" ? SightCommand::kAsk
                                  : SightCommand::kDescribe;
  check_text("the question", sight.asked);
  check_text("the question", sight.question.value_or(""));
  check_text("the system prompt", sight.system.value_or(""));
  if (sight.command == SightCommand::kAsk && sight.image == "-" && sight.asked == "-") {
    throw Error(ErrorKind::kUsage, "picture and question cannot both come from stdin");
  }
  if (sight.command == SightCommand::kChat && sight.image == "-") {
    throw Error(ErrorKind::kUsage, "chat reads what is said from stdin, so the picture is a file");
  }
  return std::move(sight);
}

// CLI11 shows the help of the command that was given in place of the whole's own.
std::string help_of(const CLI::App& about) {
  std::string name = about.get_name();
  for (const CLI::App* above = about.get_parent(); above != nullptr; above = above->get_parent()) {
    name = above->get_name() + " " + name;
  }
  return about.get_formatter()->make_help(&about, name, CLI::AppFormatMode::Normal);
}

// `help` without a command, with one, and with one below it.
ShowArguments help_about(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* about = &app;
  for (const std::string& word : words) {
    const auto below =
        about->get_subcommands([&](const CLI::App* each) { return each->get_name() == word; });
    if (below.empty()) {
      const std::vector<std::string_view> subcommands = subcommand_names(*about);
      const std::string_view meant = nearest(lower_case(word), subcommands);
      throw Error(ErrorKind::kUsage,
                  "no help about " + quote(word, 60) + ", which is no command" +
                      (meant.empty() ? "; bifrons help lists them"
                                     : fmt::format("; did you mean '{}'?", meant)));
    }
    about = below.front();
  }
  return {help_of(*about)};
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
    refuse_two_on_stdout(grammar.decode.output, grammar.decode.json);
    return std::move(grammar.decode);
  }
  if (name == "vary") return choose_vary(grammar, *given.front());
  if (name == "encode") {
    refuse_two_on_stdout(grammar.encode.output, grammar.encode.json);
    return std::move(grammar.encode);
  }
  if (name == "reconstruct") {
    refuse_two_on_stdout(grammar.reconstruct.output, grammar.reconstruct.json);
    return std::move(grammar.reconstruct);
  }
  if (name == "describe" || name == "ask" || name == "chat") return choose_sight(grammar, name);
  if (name == "info") return std::move(grammar.info);
  if (name == "inspect") return std::move(grammar.inspect);
  if (name == "devices") return DevicesArguments{};
  if (name == "doctor") return std::move(grammar.doctor);
  if (name == "tokenize") {
    check_text("the text", grammar.tokenize_text);
    grammar.tokenize.from_stdin = grammar.tokenize_text == "-";
    grammar.tokenize.text = std::move(grammar.tokenize_text);
    return std::move(grammar.tokenize);
  }
  if (name == "help") return help_about(grammar.app, grammar.helped);
  if (name == "version") return VersionArguments{grammar.version_verbose};
  check(name == "completion", "a command without a reader");
  if (grammar.shell != "bash" && grammar.shell != "zsh" && grammar.shell != "fish") {
    throw Error(ErrorKind::kUsage,
                "completion knows bash, zsh and fish, not " + quote(grammar.shell, 60));
  }
  return ShowArguments{completion_script(grammar.app, grammar.shell)};
}

// The arguments with `generate` put in front when no command was named.
std::vector<std::string> with_subcommand(const CLI::App& app, int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) return words;
  const std::vector<std::string_view> subcommands = subcommand_names(app);
  const auto is_subcommand = [&](const std::string& word) {
    return std::find(subcommands.begin(), subcommands.end(), word) != subcommands.end();
  };
  const bool talk_first = words.size() > 1 && (words[0] == "-v" || words[0] == "--verbose");
  const std::string& asked = words[talk_first ? 1 : 0];
  const bool asks_version = asked == "--version" || asked == "-V";
  if (is_subcommand(words[0]) || asks_version || words[0] == "-h" || words[0] == "--help")
    return words;
  if (looks_like_a_command(words[0])) refuse_word(words[0], words.size() == 1, app);
  words.insert(words.begin(), "generate");
  return words;
}

}  // namespace

Command parse_arguments(int argc, const char* const* argv) {
  Grammar grammar;
  build_grammar(grammar);
  CLI::App& app = grammar.app;
  const std::vector<std::string> given_words(argv + std::min(argc, 1), argv + argc);
  std::vector<std::string> words = without_empty_values(app, with_subcommand(app, argc, argv));
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
    const CLI::App* about = &command_of();
    while (!about->get_subcommands().empty()) about = about->get_subcommands().front();
    return ShowArguments{help_of(*about)};
  } catch (const CLI::ExtrasError&) {
    if (shorthand && !dashes) refuse_late_command(given_words, app);
    refuse_extras(command_of(), app);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::kUsage, printable(error.what()));
  }
  if (shorthand && !dashes && grammar.text != "-" && looks_like_a_command(grammar.text)) {
    refuse_late_command({grammar.text}, app);
    refuse_word(grammar.text, true, app);
  }
  return choose(grammar);
}

}  // namespace bifrons::cli