// The words of a command line before CLI11 sees them.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace bifrons::cli {

// Refuses empty values of options, as in --cfg= and --cfg "", which CLI11 lets the next word fill
// or takes for the default. Only a text may be empty; --prompt= becomes two words. The first word
// is a command of `app`. Throws Error (usage) naming the option.
std::vector<std::string> without_empty_values(const CLI::App& app, std::vector<std::string> words);

}  // namespace bifrons::cli
