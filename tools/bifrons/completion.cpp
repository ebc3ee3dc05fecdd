// `bifrons completion`: makes a completion script for a shell from the options that CLI11 knows.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string_view>
#include <vector>

#include "src/io/quote.h"
#include "tools/bifrons/grid_axis.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

// The completion of a value: a list of words, or one of these.
constexpr std::string_view kFiles = "@files";
constexpr std::string_view kDirectories = "@directories";
constexpr std::string_view kNothing = "@nothing";

struct Flag {
  std::vector<std::string> names;  // with their dashes
  std::string about;
  bool takes_value = false;
  std::string values;  // the completion of the value
};

struct Subcommand {
  std::string name;
  std::string about;
  std::vector<Flag> flags;
  std::string operands;  // the completion of its operands
};

struct Choices {
  std::string_view option, words;
};

// Options whose values are words of a list. An option has the same words in all commands.
constexpr Choices kChoices[] = {
    {"--decode", "auto between beside"},
    {"--device", "auto cpu cuda"},
    {"--devices", "auto cpu cuda"},
    {"--format", "txt jsonl json csv tsv"},
    {"--only", "decode draw prefill vq speculate"},
    {"--progress", "auto bar line none"},
    {"--resume", "trust verify"},
    {"--rope", "f32 bf16"},
    {"--save-as", "png jpg webp"},
    {"--shape", "janus-pro-1b janus-pro-7b"},
    {"--shard", "auto"},
    {"--speculate", "auto off"},
    {"--type", "int8 int4"},
    {"--weights", "stored int8 int4"},
};

// Chosen by the type of the value in the help.
std::string_view values_of_type(std::string_view type) {
  if (type == "FILE" || type == "IMAGE" || type == "TOKENS") return kFiles;
  return type == "DIR" ? kDirectories : kNothing;
}

std::string values_of(const CLI::Option& option) {
  for (const std::string& name : option.get_lnames()) {
    if (name == "across" || name == "down") return axis_words();
    for (const Choices& each : kChoices) {
      if (each.option == "--" + name) return std::string(each.words);
    }
  }
  return std::string(values_of_type(option.get_type_name()));
}

std::string joined_words(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : std::string(between)) + word;
  return all;
}

// CLI11 returns const commands only for a const filter. The traversal changes nothing.
std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  return names;
}

// All operands are completed like the first one that can be completed.
std::string operands_of(const CLI::App& app, const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string type = option->get_name(true);
    if (type == "SHELL") return "bash zsh fish";
    if (type == "COMMAND") return joined_words(names_of(app));
    if (const std::string_view values = values_of_type(type); values != kNothing) {
      return std::string(values);
    }
  }
  const std::vector<std::string> below = names_of(command);
  return below.empty() ? std::string(kNothing) : joined_words(below);
}

std::vector<Subcommand> subcommands_of(const CLI::App& app) {
  std::vector<Subcommand> subcommands;
  for (const CLI::App* command : commands_of(app)) {
    Subcommand subcommand{
        command->get_name(), command->get_description(), {}, operands_of(app, *command)};
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_group().empty()) continue;  // hidden: names of other programs
      Flag flag;
      for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
      if (flag.names.empty()) continue;  // an operand
      flag.about = option->get_description();
      flag.takes_value = option->get_items_expected_max() > 0;
      if (flag.takes_value) flag.values = values_of(*option);
      subcommand.flags.push_back(std::move(flag));
    }
    subcommands.push_back(std::move(subcommand));
  }
  return subcommands;
}

std::string joined_flags(const Subcommand& subcommand) {
  std::vector<std::string> words;
  for (const Flag& flag : subcommand.flags)
    words.insert(words.end(), flag.names.begin(), flag.names.end());
  return joined_words(words);
}

std::string joined_names(const std::vector<Subcommand>& subcommands) {
  std::vector<std::string> words;
  for (const Subcommand& subcommand : subcommands) words.push_back(subcommand.name);
  return joined_words(words);
}

// One line of a shell's `case` for each option with a value.
std::string bash_values(const Subcommand& subcommand) {
  std::string cases;
  for (const Flag& flag : subcommand.flags) {
    if (!flag.takes_value) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : flag.names) {
      patterns.push_back(fmt::format("\"{} {}\"", subcommand.name, name));
    }
    cases += fmt::format("    {}) value=\"{}\" ;;\n", joined_words(patterns, "|"), flag.values);
  }
  return cases;
}

std::string bash_script(const std::vector<Subcommand>& subcommands) {
  std::string cases, values, generate;
  for (const Subcommand& subcommand : subcommands) {
    const std::string line = fmt::format("options=\"{}\" operands=\"{}\"", joined_flags(subcommand),
                                         subcommand.operands);
    if (subcommand.name == "generate") generate = line;
    cases += fmt::format("    {}) {} ;;\n", subcommand.name, line);
    values += bash_values(subcommand);
  }
  return fmt::format(
      R"(# bash completion of bifrons; load with: source <(bifrons completion bash)
_bifrons() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local subcommand="${{COMP_WORDS[1]}}" options operands value=""
  COMPREPLY=()
  if [[ $word == "=" ]]; then word=""; fi  # bash takes --rope=b apart
  if [[ $previous == "=" && $COMP_CWORD -gt 2 ]]; then previous="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
  case "$subcommand" in
{}    *) subcommand=generate {}; options="$options --version -V" ;;
  esac
  case "$subcommand $previous" in
{}  esac
  if [[ -n $value ]]; then :
  elif [[ $COMP_CWORD -eq 1 ]]; then value="{} $options"
  elif [[ $word == -* ]]; then value="$options"
  else value="$operands"
  fi
  case "$value" in
    {}) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames 2>/dev/null ;;
    {}) mapfile -t COMPREPLY < <(compgen -d -- "$word"); compopt -o filenames 2>/dev/null ;;
    {}) ;;
    *) COMPREPLY=($(compgen -W "$value" -- "$word")) ;;
  esac
  if [[ ${{COMPREPLY[0]}} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}}
complete -F _bifrons bifrons
)",
      cases, generate, values, joined_names(subcommands), kFiles, kDirectories, kNothing);
}

// Escapes text for single quotes of a shell, and for the brackets and colons of zsh's
// specifications.
std::string zsh_escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

// The action of zsh's _arguments that completes a value. A blank completes nothing.
std::string zsh_action(const std::string& values) {
  if (values == kFiles) return "_files";
  if (values == kDirectories) return "_files -/";
  return values == kNothing ? std::string(" ") : fmt::format("({})", values);
}

std::string zsh_arguments(const Subcommand& subcommand) {
  std::string lines = "_arguments -s";
  for (const Flag& flag : subcommand.flags) {
    for (const std::string& name : flag.names) {
      lines += fmt::format(" \\\n        '{}[{}]{}'", name, zsh_escaped(flag.about),
                           flag.takes_value ? ":value:" + zsh_action(flag.values) : "");
    }
  }
  return lines + fmt::format(" \\\n        '*:argument:{}'", zsh_action(subcommand.operands));
}

std::string zsh_script(const std::vector<Subcommand>& subcommands) {
  std::string names;
  std::string cases;
  std::string generate;
  for (const Subcommand& subcommand : subcommands) {
    names += fmt::format("    '{}:{}'\n", subcommand.name, zsh_escaped(subcommand.about));
    cases += fmt::format("    {})\n      shift words; (( CURRENT-- ))\n      {} ;;\n",
                         subcommand.name, zsh_arguments(subcommand));
    if (subcommand.name == "generate") generate = zsh_arguments(subcommand);
  }
  return fmt::format(
      R"(#compdef bifrons
# zsh completion of bifrons; load with: source <(bifrons completion zsh)
_bifrons() {{
  local -a subcommands
  subcommands=(
{}  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then _describe command subcommands; return; fi
  case "$words[2]" in
{}    *)
      {} ;;
  esac
}}
# As a file of $fpath this script is the function, and its first call must complete, too.
if [[ $funcstack[1] == _bifrons ]]; then _bifrons "$@"; else compdef _bifrons bifrons; fi
)",
      names, cases, generate);
}

std::string fish_escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The options of fish's `complete` for the completion of a value or an operand.
std::string fish_action(const std::string& values) {
  if (values == kFiles) return "";
  if (values == kDirectories) return " -f -a '(__fish_complete_directories (commandline -ct))'";
  return values == kNothing ? std::string(" -f") : fmt::format(" -f -a '{}'", values);
}

std::string fish_script(const std::vector<Subcommand>& subcommands) {
  std::string others;
  for (const Subcommand& subcommand : subcommands) {
    if (subcommand.name != "generate") others += " " + subcommand.name;
  }
  std::string script =
      "# fish completion of bifrons; load with: bifrons completion fish | source\n";
  for (const Subcommand& subcommand : subcommands) {
    script += fmt::format("complete -c bifrons -n __fish_use_subcommand -f -a {} -d '{}'\n",
                          subcommand.name, fish_escaped(subcommand.about));
  }
  for (const Subcommand& subcommand : subcommands) {
    const std::string condition = subcommand.name == "generate"
                                      ? "not __fish_seen_subcommand_from" + others
                                      : "__fish_seen_subcommand_from " + subcommand.name;
    if (const std::string action = fish_action(subcommand.operands); !action.empty()) {
      script += fmt::format("complete -c bifrons -n '{}'{}\n", condition, action);
    }
    for (const Flag& flag : subcommand.flags) {
      script += fmt::format("complete -c bifrons -n '{}'", condition);
      for (const std::string& name : flag.names) {
        script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (flag.takes_value) script += " -r" + fish_action(flag.values);
      script += fmt::format(" -d '{}'\n", fish_escaped(flag.about));
    }
  }
  return script;
}

// The options of `generate` are also completed without a command.
int print_script(const CLI::App& app, const std::string& shell) {
  const std::vector<Subcommand> subcommands = subcommands_of(app);
  if (shell == "bash") {
    write_stdout(bash_script(subcommands));
  } else if (shell == "zsh") {
    write_stdout(zsh_script(subcommands));
  } else if (shell == "fish") {
    write_stdout(fish_script(subcommands));
  } else {
    throw Error(ErrorKind::kUsage, "completion knows bash, zsh and fish, not " + quote(shell, 60));
  }
  return 0;
}

}  // namespace

void add_completion(CLI::App& app, Chosen& chosen) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& command = add_command(app, "completion", "Print a shell's completion script", chosen,
                                  [&app, shell] { return print_script(app, *shell); });
  add_operand(command, "SHELL", *shell, "bash, zsh or fish");
}

}  // namespace bifrons::cli
