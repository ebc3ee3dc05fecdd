// The options for the settings that determine a picture.
#pragma once

#include <cstdint>
#include <optional>

#include "tools/bifrons/settings.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bifrons::cli {

// `seed` is the help text of --seed.
void add_setting_options(CLI::App& command, Settings& settings, const char* seed);

// --width, --height and --size. They exist so that a wrong size gives an error with a reason.
void add_size_options(CLI::App& command, std::optional<int64_t>& width,
                      std::optional<int64_t>& height);

}  // namespace bifrons::cli
