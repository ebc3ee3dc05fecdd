// Follows options and their values as CLI11 does, so that no value is taken for an option.
#include "tools/bifrons/words.h"

#include <CLI/CLI.hpp>

#include "src/bifrons.h"

namespace bifrons::cli {
namespace {

const CLI::App* command_below(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

bool takes_value(const CLI::Option* option) {
  return option != nullptr && option->get_items_expected_max() > 0;
}

[[noreturn]] void refuse(const std::string& name) {
  throw Error(ErrorKind::kUsage,
              name + " was given an empty value; write one behind it, or leave " + name + " out");
}

bool may_be_empty(const CLI::Option& option) { return option.get_type_name() == "TEXT"; }

// The option of a cluster such as -qo whose value is the next word; none: it is whole, or unknown.
const CLI::Option* open_option(const CLI::App& command, const std::string& word) {
  for (size_t i = 1; i < word.size(); ++i) {
    const CLI::Option* option = command.get_option_no_throw(std::string("-") + word[i]);
    if (option == nullptr) return nullptr;
    if (takes_value(option)) return i + 1 == word.size() ? option : nullptr;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> without_empty_values(const CLI::App& app, std::vector<std::string> words) {
  const CLI::App* command = words.empty() ? nullptr : command_below(app, words[0]);
  if (command == nullptr) return words;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string word = words[i];
    if (word == "--") break;
    if (const CLI::App* below = command_below(*command, word)) command = below;
    if (word.size() < 2 || word[0] != '-') continue;
    const bool is_long = word[1] == '-';
    const size_t equals = is_long ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const CLI::Option* option =
        is_long ? command->get_option_no_throw(name) : open_option(*command, word);
    if (!takes_value(option)) continue;
    if (equals == std::string::npos) {
      ++i;  // its value, whatever it looks like
      if (i < words.size() && words[i].empty() && !may_be_empty(*option)) refuse(name);
    } else if (equals + 1 == word.size()) {
      if (!may_be_empty(*option)) refuse(name);
      words[i] = name;
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(++i), "");
    }
  }
  return words;
}

}  // namespace bifrons::cli
