// Walks the CLI11 commands and options; CLI11 itself has no completion.
#include "tools/bifrons/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <vector>

namespace bifrons {
namespace {

struct Flag {
  std::vector<std::string> names;  // with their dashes
  std::string about;
  bool takes_value = false;
  std::string values;  // space-separated choices; empty: files
};

struct Verb {
  std::string name;
  std::string about;
  std::vector<Flag> flags;
};

std::string choices_of(const std::string& name) {
  if (name == "--device") return "auto cpu cuda";
  if (name == "--rope") return "f32 bf16";
  return {};
}

// CLI11 hands out const commands only for a const filter; the walk changes nothing.
std::vector<Verb> verbs_of(const CLI::App& app) {
  std::vector<Verb> verbs;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    Verb verb{command->get_name(), command->get_description(), {}};
    for (const CLI::Option* option : command->get_options()) {
      Flag flag;
      for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) {
        flag.names.push_back("--" + name);
        if (flag.values.empty()) flag.values = choices_of("--" + name);
      }
      if (flag.names.empty()) continue;  // a positional
      flag.about = option->get_description();
      flag.takes_value = option->get_items_expected_max() > 0;
      verb.flags.push_back(std::move(flag));
    }
    verbs.push_back(std::move(verb));
  }
  return verbs;
}

std::string joined_flags(const Verb& verb) {
  std::string words;
  for (const Flag& flag : verb.flags) {
    for (const std::string& name : flag.names) words += (words.empty() ? "" : " ") + name;
  }
  return words;
}

std::string joined_verbs(const std::vector<Verb>& verbs) {
  std::string words;
  for (const Verb& verb : verbs) words += (words.empty() ? "" : " ") + verb.name;
  return words;
}

std::string bash_script(const std::vector<Verb>& verbs) {
  std::string cases;
  std::string generate;
  for (const Verb& verb : verbs) {
    if (verb.name == "generate") generate = joined_flags(verb);
    cases += fmt::format("    {}) options=\"{}\" ;;\n", verb.name, joined_flags(verb));
  }
  return fmt::format(
      R"(# bash completion of bifrons; load with: source <(bifrons completion bash)
_bifrons() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" options
  COMPREPLY=()
  case "$previous" in
    --device) COMPREPLY=($(compgen -W "auto cpu cuda" -- "$word")); return ;;
    --rope) COMPREPLY=($(compgen -W "f32 bf16" -- "$word")); return ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$word")); return ;;
    -m|--model) COMPREPLY=($(compgen -d -- "$word")); return ;;
  esac
  case "${{COMP_WORDS[1]}}" in
{}    *) options="{} --version" ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then options="{} $options"; fi
  if [[ $word == -* || $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  fi
}}
complete -o default -F _bifrons bifrons
)",
      cases, generate, joined_verbs(verbs));
}

// Inside single quotes of a shell and the brackets or colons of zsh's specifications.
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

std::string zsh_arguments(const Verb& verb) {
  std::string lines = "_arguments -s";
  for (const Flag& flag : verb.flags) {
    for (const std::string& name : flag.names) {
      lines += fmt::format(" \\\n        '{}[{}]", name, zsh_escaped(flag.about));
      if (flag.takes_value) {
        lines += flag.values.empty() ? ":value:_files" : fmt::format(":value:({})", flag.values);
      }
      lines += "'";
    }
  }
  lines += verb.name == "completion" ? " \\\n        ':shell:(bash zsh fish)'"
                                     : " \\\n        '*:file:_files'";
  return lines;
}

std::string zsh_script(const std::vector<Verb>& verbs) {
  std::string names;
  std::string cases;
  std::string generate;
  for (const Verb& verb : verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, zsh_escaped(verb.about));
    cases += fmt::format("    {})\n      shift words; (( CURRENT-- ))\n      {} ;;\n", verb.name,
                         zsh_arguments(verb));
    if (verb.name == "generate") generate = zsh_arguments(verb);
  }
  return fmt::format(
      R"(#compdef bifrons
# zsh completion of bifrons; load with: source <(bifrons completion zsh)
_bifrons() {{
  local -a verbs
  verbs=(
{}  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then _describe command verbs; return; fi
  case "$words[2]" in
{}    *)
      {} ;;
  esac
}}
compdef _bifrons bifrons
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

std::string fish_script(const std::vector<Verb>& verbs) {
  std::string others;
  for (const Verb& verb : verbs) {
    if (verb.name != "generate") others += " " + verb.name;
  }
  std::string script =
      "# fish completion of bifrons; load with: bifrons completion fish | source\n";
  for (const Verb& verb : verbs) {
    script += fmt::format("complete -c bifrons -n __fish_use_subcommand -a {} -d '{}'\n", verb.name,
                          fish_escaped(verb.about));
  }
  script +=
      "complete -c bifrons -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
  for (const Verb& verb : verbs) {
    const std::string condition = verb.name == "generate"
                                      ? "not __fish_seen_subcommand_from" + others
                                      : "__fish_seen_subcommand_from " + verb.name;
    for (const Flag& flag : verb.flags) {
      script += fmt::format("complete -c bifrons -n '{}'", condition);
      for (const std::string& name : flag.names) {
        script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (flag.takes_value) {
        script += flag.values.empty() ? " -r" : fmt::format(" -x -a '{}'", flag.values);
      }
      script += fmt::format(" -d '{}'\n", fish_escaped(flag.about));
    }
  }
  return script;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  const std::vector<Verb> verbs = verbs_of(app);
  if (shell == "bash") return bash_script(verbs);
  if (shell == "zsh") return zsh_script(verbs);
  return fish_script(verbs);
}

}  // namespace bifrons
