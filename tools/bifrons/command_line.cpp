// Replaces messages of CLI11 that do not say what the user may have meant.
#include "tools/bifrons/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

#include "src/io/quote.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/help.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

// A message that may quote words of the user. Control characters are escaped.
std::string printable(const std::string& text) {
  const std::string quoted = quote(text, 400);
  return quoted.substr(1, quoted.size() - 2);
}

// Whether a word may be a mistyped command rather than a prompt: one word of plain characters.
bool looks_like_a_command(std::string_view word) {
  return !word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), [](char c) {
    return c > ' ' && static_cast<unsigned char>(c) < 0x7f;
  });
}

// Refuses a command after options, because it would be taken as a prompt.
void refuse_late_command(const std::vector<std::string>& words, const CLI::App& app) {
  const std::vector<std::string_view> subcommands = command_names(app);
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
  const std::string_view meant = nearest_command(app, word);
  sentence += meant.empty() ? std::string(".") : fmt::format("; did you mean '{}'?", meant);
  sentence += alone ? " To draw it, write: bifrons -p " + quote(word, 60)
                    : std::string(" A prompt of several words goes in quotes.");
  throw Error(ErrorKind::kUsage, sentence);
}

// The command that the user meant by --info or --batch.
std::string_view subcommand_behind_dashes(const std::string& option, const CLI::App& app) {
  if (!option.starts_with("--")) return {};
  for (const std::string_view subcommand : command_names(app)) {
    if (option.substr(2) == subcommand) return subcommand;
  }
  return {};
}

// An option in which a word processor or web page has replaced hyphens by dashes (U+2010 to U+2015,
// and the minus), with hyphens again. Any other word stays unchanged.
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

[[noreturn]] void refuse_extra(const std::string& word, const CLI::App& command,
                               const CLI::App& app) {
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

[[noreturn]] void refuse_extras(const CLI::App& command, const CLI::App& app) {
  const std::vector<std::string> extras = command.remaining(true);
  refuse_extra(extras.empty() ? std::string() : extras.front(), command, app);
}

// Refuses an unknown option. CLI11 complains first of what is missing and of bad values, which may
// be so only because of the unknown option.
void refuse_unknown_option(const CLI::App& command, const CLI::App& app) {
  for (const std::string& word : command.remaining(true)) {
    if (word.size() > 1 && word[0] == '-' && word != "--") refuse_extra(word, command, app);
  }
}

// The arguments, with `generate` in front if they name no command.
std::vector<std::string> with_subcommand(const CLI::App& app, std::vector<std::string> words) {
  if (words.empty()) return words;
  const std::vector<std::string_view> subcommands = command_names(app);
  const auto is_subcommand = [&](const std::string& word) {
    return std::find(subcommands.begin(), subcommands.end(), word) != subcommands.end();
  };
  const bool verbose_first = words.size() > 1 && (words[0] == "-v" || words[0] == "--verbose");
  const std::string& asked = words[verbose_first ? 1 : 0];
  const bool asks_version = asked == "--version" || asked == "-V";
  if (is_subcommand(words[0]) || asks_version || words[0] == "-h" || words[0] == "--help")
    return words;
  if (looks_like_a_command(words[0])) refuse_word(words[0], words.size() == 1, app);
  words.insert(words.begin(), "generate");
  return words;
}

const CLI::App* command_below(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

bool takes_value(const CLI::Option* option) {
  return option != nullptr && option->get_items_expected_max() > 0;
}

[[noreturn]] void refuse_empty(const std::string& name) {
  throw Error(ErrorKind::kUsage,
              name + " was given an empty value; write one behind it, or leave " + name + " out");
}

bool may_be_empty(const CLI::Option& option) { return option.get_type_name() == "TEXT"; }

// An option on the command line that takes a value.
struct GivenOption {
  const CLI::App* command;
  const CLI::Option* option;
  std::string name;   // as written: "--cfg", or "-o" also in -qo
  size_t word;        // index of the word that has the name
  size_t value_from;  // where the value begins in that word; npos: the value is the next word
};

// The option that takes a value in a long word (--cfg=5) or in a cluster of short ones (-qo).
std::optional<GivenOption> option_in(const CLI::App& command, const std::string& word,
                                     size_t index) {
  if (word.size() < 2 || word[0] != '-') return std::nullopt;
  if (word[1] == '-') {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const CLI::Option* option = command.get_option_no_throw(name);
    if (!takes_value(option)) return std::nullopt;
    return GivenOption{&command, option, name, index,
                       equals == std::string::npos ? equals : equals + 1};
  }
  for (size_t i = 1; i < word.size(); ++i) {
    const std::string name = std::string("-") + word[i];
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) return std::nullopt;
    if (!takes_value(option)) continue;
    return GivenOption{&command, option, name, index,
                       i + 1 == word.size() ? std::string::npos : i + 1};
  }
  return std::nullopt;
}

// All options with values, in order. Options and values are matched as in CLI11, so that no value
// is taken for an option.
std::vector<GivenOption> given_options(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<GivenOption> given;
  const CLI::App* command = words.empty() ? nullptr : command_below(app, words[0]);
  if (command == nullptr) return given;
  for (size_t i = 1; i < words.size() && words[i] != "--"; ++i) {
    if (const CLI::App* below = command_below(*command, words[i])) command = below;
    const std::optional<GivenOption> here = option_in(*command, words[i], i);
    if (!here) continue;
    given.push_back(*here);
    if (here->value_from == std::string::npos) ++i;
  }
  return given;
}

// Refuses an option at the end of the command line that lacks its value.
void refuse_missing_value(const std::vector<GivenOption>& given, size_t words) {
  if (given.empty()) return;
  const GivenOption& last = given.back();
  if (last.value_from != std::string::npos || last.word + 1 < words) return;
  const std::string about = last.option->get_description();
  std::string type = last.option->get_type_name();
  type.resize(std::min(type.find(':'), type.size()));  // CLI11 adds the checks of the value
  throw Error(ErrorKind::kUsage, fmt::format("nothing comes after {0}; write {0} {1}{2}", last.name,
                                             type, about.empty() ? about : ". " + about));
}

// Whether a word is spelled like an option of `command`: --name, --name=value, -n, several short
// ones in a word, or two dashes and a name that no option has. "--a fox" is a text, as it has a
// blank, and "--5" is a bad number.
bool is_like_an_option(const CLI::App& command, const std::string& word) {
  if (word.starts_with("--")) {
    const bool named = word.size() == 2 || std::isalpha(static_cast<unsigned char>(word[2])) != 0;
    return named && word.substr(0, word.find('=')).find_first_of(" \t\r\n") == std::string::npos;
  }
  if (word.size() < 2 || word[0] != '-') return false;
  return std::all_of(word.begin() + 1, word.end(), [&](char c) {
    const CLI::Option* option = command.get_option_no_throw(std::string("-") + c);
    return option != nullptr && (word.size() == 2 || !takes_value(option));
  });
}

// Refuses an option in place of a value, because the value was probably forgotten.
void refuse_options_as_values(const std::vector<GivenOption>& given,
                              const std::vector<std::string>& words) {
  for (const GivenOption& here : given) {
    if (here.value_from != std::string::npos) continue;
    const std::string& value = words[here.word + 1];
    if (!is_like_an_option(*here.command, value)) continue;
    const std::vector<std::string>& names = here.option->get_lnames();
    const bool is_long = here.name.starts_with("--");
    const std::string with_value = is_long          ? here.name + "="
                                   : !names.empty() ? "--" + names.front() + "="
                                                    : here.name;
    throw Error(ErrorKind::kUsage,
                fmt::format("{} lacks its value: {} is read as an option; if it is the value, "
                            "write {}",
                            here.name, quote(value, 60), quote_if_needed(with_value + value)));
  }
}

// Refuses two names of one setting. The same name twice is accepted, and its last value counts.
void refuse_second_names(const std::vector<GivenOption>& given) {
  std::map<const CLI::Option*, std::string> names;
  for (const GivenOption& here : given) {
    if (!is_setting_option(*here.command, *here.option)) continue;
    const auto [before, is_new] = names.emplace(here.option, here.name);
    if (!is_new && before->second != here.name) refuse_two_names(before->second, here.name);
  }
}

// Refuses empty values of options, as in --cfg= and --cfg "", because CLI11 would use the next word
// or the default instead. Only a text may be empty: --prompt= becomes two words.
std::vector<std::string> without_empty_values(const std::vector<GivenOption>& given,
                                              std::vector<std::string> words) {
  size_t inserted = 0;
  for (const GivenOption& here : given) {
    const size_t at = here.word + inserted;
    const bool next = here.value_from == std::string::npos;
    if (!(next ? words[at + 1].empty() : here.value_from == words[at].size())) continue;
    if (!may_be_empty(*here.option)) refuse_empty(here.name);
    if (next) continue;
    words[at] = here.name;
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(at + 1), "");
    ++inserted;
  }
  return words;
}

// Checks the values and names of options that CLI11 does not check, or for which it has no message
// of its own. Returns the words for CLI11.
std::vector<std::string> checked_words(const CLI::App& app, std::vector<std::string> words) {
  const std::vector<GivenOption> given = given_options(app, words);
  refuse_missing_value(given, words.size());
  refuse_options_as_values(given, words);
  refuse_second_names(given);
  return without_empty_values(given, std::move(words));
}

// The operand of `generate`: its prompt without an option.
std::string prompt_operand(const CLI::App& app) {
  const CLI::Option* operand = app.get_subcommand("generate")->get_option("TEXT");
  return operand->count() > 0 ? operand->as<std::string>() : std::string();
}

// Fills `chosen`. Throws Error (usage) if the words are not a valid command line, or probably mean
// something else.
void parse(CLI::App& app, const std::vector<std::string>& given, Chosen& chosen) {
  std::vector<std::string> words = checked_words(app, with_subcommand(app, given));
  // A prompt without the command `generate`: the wrong part may be a command in the wrong place.
  const bool shorthand = !given.empty() && words[0] == "generate" && given[0] != "generate" &&
                         std::find(words.begin(), words.end(), "--") == words.end();
  const auto command = [&app]() -> const CLI::App& {
    const std::vector<CLI::App*> parsed = app.get_subcommands();
    return parsed.empty() ? app : *parsed.front();
  };
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* about = &command();
    while (!about->get_subcommands().empty()) about = about->get_subcommands().front();
    chosen = [text = help_of(*about)] {
      write_stdout(text);
      return 0;
    };
    return;
  } catch (const CLI::ExtrasError&) {
    if (shorthand) refuse_late_command(given, app);
    refuse_extras(command(), app);
  } catch (const Error&) {
    refuse_unknown_option(command(), app);
    throw;
  } catch (const CLI::ParseError& error) {
    refuse_unknown_option(command(), app);
    throw Error(ErrorKind::kUsage, printable(error.what()));
  }
  if (!shorthand) return;
  if (const std::string prompt = prompt_operand(app);
      prompt != "-" && looks_like_a_command(prompt)) {
    refuse_late_command({prompt}, app);
    refuse_word(prompt, true, app);
  }
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  CLI::App app{"Draws pictures from text with Janus-Pro-style models.", "bifrons"};
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.require_subcommand(0, 1);
  app.footer(
      "A text in place of a command is drawn: bifrons \"a fox in the snow\"\n"
      "bifrons help COMMAND lists the options of a command.\n"
      "Environment: BIFRONS_MODEL, BIFRONS_DEVICE, BIFRONS_THREADS, BIFRONS_KV, "
      "BIFRONS_MAX_MEMORY; flags win.");
  Chosen chosen;
  add_commands(app, chosen);
  parse(app, {argv + std::min(argc, 1), argv + argc}, chosen);
  if (!chosen) throw Error(ErrorKind::kUsage, "nothing to do; try: bifrons --help");
  return chosen();
}
}  // namespace bifrons::cli
