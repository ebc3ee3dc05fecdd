// All commands. CMakeLists.txt lists them with their source files.
#pragma once

#include "tools/bifrons/options.h"

namespace bifrons::cli {

// Adds them to `app`, in the order of the list. The command that the user gives becomes `chosen`.
void add_commands(CLI::App& app, Chosen& chosen);

}  // namespace bifrons::cli
