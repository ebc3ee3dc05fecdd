// The options of what decides a picture.
#pragma once

#include "tools/bifrons/settings.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bifrons::cli {

// `seed` is what the help says of --seed.
void add_setting_options(CLI::App& command, Settings& settings, const char* seed);

}  // namespace bifrons::cli
