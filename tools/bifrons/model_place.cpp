// The storybook model is searched for next to the program, then where it was built.
#include "tools/bifrons/model_place.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "src/bifrons.h"
#include "src/io/descriptor.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "tools/bifrons/hub_cache.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStorybook = "storybook";
constexpr const char* kSuggested = "deepseek-ai/Janus-Pro-1B";

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

// For messages, in brackets: what exists at a path that is not a directory.
std::string instead_of_directory(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return " (no such directory)";
  if (!fs::status_known(status)) return fmt::format(" ({})", reason_of(error.value()));
  return " (not a directory)";
}

// A file that was named in place of a model directory.
[[noreturn]] void refuse_file(const std::string& path) {
  const auto ends = [&](std::string_view ending) { return path.ends_with(ending); };
  const fs::path file(path);
  std::string advice = "name the directory that it is in";
  if (ends(".gguf")) {
    advice = "it is a GGUF file, which is not read; take the model's .safetensors or .bin files";
  } else if (ends(".onnx")) {
    advice = "it is an ONNX graph, which is not read; take the model's .safetensors or .bin files";
  } else if (ends(".zip") || ends(".tar") || ends(".gz") || ends(".tgz") || ends(".zst") ||
             ends(".xz") || ends(".7z") || ends(".rar")) {
    advice = "unpack it and name the directory that comes out";
  } else if (file.has_parent_path()) {
    advice = "name the directory that it is in, " + quote(file.parent_path().string());
  }
  throw Error(
      ErrorKind::kMissing,
      fmt::format("{}: a file, where a model's directory is needed; {}", quote(path), advice));
}

// The directory itself, or the snapshot of a folder of the hub cache.
ModelPlace place_of(const fs::path& directory, const std::string& revision = {}) {
  return {snapshot_of(directory, revision).value_or(directory).string(), false};
}

// What a user without the model can do; `hub` if a model of the hub was named.
std::string advice(const std::optional<HubName>& hub) {
  return "\n  Not downloaded yet?            " +
         pull_command(hub.value_or(HubName{kSuggested, ""})) +
         "\n  Have the files of Janus-Pro?   bifrons -m /path/to/Janus-Pro-1B \"a cat\""
         "\n  For every call                 export BIFRONS_MODEL=/path/to/Janus-Pro-1B"
         "\n  What a directory needs         config.json, tokenizer.json and the weights "
         "(.safetensors or .bin), as published";
}

}  // namespace

ModelPlace find_model(const std::string& wanted) {
  if (!wanted.empty() && directory_exists(wanted)) return place_of(wanted);
  std::string looked_in;
  std::optional<HubName> hub;
  if (wanted.empty() || wanted == kStorybook) {
    for (const fs::path& place : built_in_places()) {
      const fs::path normal = place.lexically_normal();
      if (directory_exists(normal)) return {normal.string(), wanted.empty()};
      looked_in += (looked_in.empty() ? "" : ", ") + quote(normal.string());
    }
  } else {
    std::error_code error;
    if (fs::is_regular_file(wanted, error)) refuse_file(wanted);
    looked_in = quote(wanted) + instead_of_directory(wanted);
    hub = parse_hub_name(wanted);
    for (const fs::path& folder : hub ? cached_folders(hub->id) : std::vector<fs::path>()) {
      if (directory_exists(folder)) return place_of(folder, hub->revision);
      looked_in += ", " + quote(folder.string());
    }
  }
  throw Error(ErrorKind::kMissing, "no model found.\n\n  Looked in   " + looked_in + advice(hub));
}

std::string built_in_note() {
  return "using the built-in storybook model: small scenes of emoji and coloured shapes, such as "
         "\"a fox in the snow\"; for anything else: -m /path/to/Janus-Pro-1B";
}

}  // namespace bifrons::cli
