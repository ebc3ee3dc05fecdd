// `bifrons bench`: a command in files of its own.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace bifrons::cli {

// Adds the command to `app`; when it is given, `chosen` becomes what to run, which returns the
// exit code.
void add_bench_command(CLI::App& app, std::function<int()>& chosen);

}  // namespace bifrons::cli
