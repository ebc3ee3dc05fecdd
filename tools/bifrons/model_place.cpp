// The storybook model is looked for beside the program, then where it was built.
#include "tools/bifrons/model_place.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "src/bifrons.h"
#include "src/io/descriptor.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStorybook = "storybook";

std::vector<fs::path> built_in_places() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> places;
  if (!error) {
    const fs::path folder = program.parent_path();
    places.push_back(folder / "../../samples/models" / kStorybook);     // build/release/bifrons
    places.push_back(folder / "../share/bifrons/models" / kStorybook);  // <prefix>/bin/bifrons
  }
  places.push_back(fs::path(BIFRONS_SOURCE_MODELS) / kStorybook);
  return places;
}

// Why that is no directory.
std::string why_not(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0) return "not a directory";
  return errno == ENOENT ? "no such directory" : reason_of(errno);
}

}  // namespace

ModelPlace find_model(const std::string& wanted) {
  if (!wanted.empty() && leads_to_directory(wanted)) return {wanted, false};
  std::string looked_in;
  if (wanted.empty() || wanted == kStorybook) {
    for (const fs::path& place : built_in_places()) {
      const fs::path normal = place.lexically_normal();
      if (leads_to_directory(normal)) return {normal.string(), wanted.empty()};
      looked_in += (looked_in.empty() ? "" : ", ") + quote(normal.string());
    }
  } else {
    looked_in = quote(wanted) + fmt::format(" ({})", why_not(wanted));
  }
  throw Error(ErrorKind::kMissing,
              "no model found.\n\n  Looked in   " + looked_in +
                  "\n  Have the files of Janus-Pro?   bifrons -m /path/to/Janus-Pro-1B \"a cat\""
                  "\n  For every call                 export BIFRONS_MODEL=/path/to/Janus-Pro-1B"
                  "\n  What a directory needs         config.json, tokenizer.json and the weights "
                  "(.safetensors or .bin), as published");
}

std::string built_in_note() {
  return "using the built-in storybook model: small scenes of emoji and coloured shapes, such as "
         "\"a fox in the snow\"; for anything else: -m /path/to/Janus-Pro-1B";
}

}  // namespace bifrons
