// The commands that only print what the library says.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernels/utf8.h"
#include "src/io/text.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {

int run(const InspectArguments& arguments) {
  const ModelPlace place = find_model(arguments.model);
  std::string text = arguments.json ? inspect_json(place.directory) : inspect(place.directory);
  if (!text.ends_with('\n')) text += '\n';
  write_stdout(text);
  return 0;
}

int run(const TokenizeArguments& arguments) {
  const ModelPlace place = find_model(arguments.model);
  std::string text = arguments.text;
  if (arguments.from_stdin) {
    text = read_stdin(kLongestFile);
    if (const auto at = invalid_utf8(text)) {
      throw Error(ErrorKind::kData, fmt::format("stdin is not valid UTF-8 at byte {}", *at));
    }
  }
  write_stdout(fmt::format("[{}]\n", fmt::join(tokenize(place.directory, text), ", ")));
  return 0;
}

int run(const DevicesArguments&) {
  std::string text;
  for (const DeviceInfo& device : devices()) {
    text += fmt::format("{:8} {}{}\n", device.name, device.about,
                        device.problem.empty() ? "" : "cannot be used: " + device.problem);
  }
  write_stdout(text);
  return 0;
}

int run(const VersionArguments& arguments) {
  const BuildInfo build = build_info();
  std::string text = "bifrons " + build.version + "\n";
  if (arguments.verbose) {
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

int run(const ShowArguments& arguments) {
  write_stdout(arguments.text);
  return 0;
}

}  // namespace bifrons::cli
