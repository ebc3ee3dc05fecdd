// The options for the settings that determine a picture.
#pragma once

#include "tools/bifrons/settings.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bifrons::cli {

// `seed` is the help text of --seed.
void add_setting_options(CLI::App& command, Settings& settings, const char* seed);

}  // namespace bifrons::cli
