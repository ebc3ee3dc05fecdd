// The list of commands, and the help of each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace bifrons::cli {

// The names of the commands below `app`. They are valid as long as `app` is.
std::vector<std::string_view> command_names(const CLI::App& app);

// The command below `app` that is most similar to `word`; empty if none is close.
std::string_view nearest_command(const CLI::App& app, const std::string& word);

// The help of a command or of the whole program.
std::string help_of(const CLI::App& about);

}  // namespace bifrons::cli
