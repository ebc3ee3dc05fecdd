// Every command. The list of them is in CMakeLists.txt, beside their source files.
#pragma once

#include "tools/bifrons/options.h"

namespace bifrons::cli {

// Adds them to `app`, in the order of the list. The one that is given becomes `chosen`.
void add_commands(CLI::App& app, Chosen& chosen);

}  // namespace bifrons::cli
