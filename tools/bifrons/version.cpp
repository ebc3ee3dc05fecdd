// `bifrons version`, and `bifrons --version`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/bifrons/options.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Version {
  bool asked = false;  // whether --version was given
  bool verbose = false;

  int run() const {
    const BuildInfo build = build_info();
    std::string text = "bifrons " + build.version + "\n";
    if (verbose) {
      text += "compiler      " + build.compiler + "\n";
      text += fmt::format("features      {}\n", fmt::join(build.features, ", "));
      for (const DeviceInfo& device : devices()) {
        text += fmt::format("device        {} {}\n", device.name,
                            device.problem.empty() ? device.about : "(" + device.problem + ")");
      }
      text += fmt::format("instructions  {}\n", fmt::join(build.instruction_sets, ", "));
    }
    write_stdout(text);
    return 0;
  }
};

}  // namespace

void add_version(CLI::App& app, Chosen& chosen) {
  const auto version = std::make_shared<Version>();
  const auto run = [version] { return version->run(); };
  CLI::App& command =
      add_command(app, "version", "Print the version, as --version does", chosen, run);
  add_flag(command, "-v,--verbose", version->verbose, "Say what is compiled in, too");
  add_flag(app, "-V,--version", version->asked, "Print the version; with -v what is compiled in");
  add_flag(app, "-v,--verbose", version->verbose, "With --version: say more");
  // Called after the callback of a command, so that --version has priority.
  app.callback([version, run, &chosen] {
    if (version->asked) chosen = run;
  });
}

}  // namespace bifrons::cli
