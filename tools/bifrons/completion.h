// Completion scripts for shells, made from the options as they are.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace bifrons::cli {

// `shell` is bash, zsh or fish. The options of `generate` are offered without a command too.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace bifrons::cli
