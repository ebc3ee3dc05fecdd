// Which command mends a model directory: it depends on where the files came from.
#include "tools/bifrons/mend.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "src/hub/known_models.h"
#include "src/io/directory.h"
#include "src/io/paths.h"
#include "tools/bifrons/hub_cache.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

// A word in single quotes, if a shell would read it otherwise.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./@=+,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

// Whether a directory has a file of a model, whole or not.
bool has_part_of_model(const std::string& directory) {
  const std::vector<std::string> names = Directory::open(directory).names();
  return std::any_of(names.begin(), names.end(), [](std::string_view name) {
    return name == "config.json" || name == "tokenizer.json" || name.ends_with(".index.json") ||
           name.ends_with(".safetensors") || name.ends_with(".incomplete") ||
           (name.starts_with("pytorch_model") && name.ends_with(".bin"));
  });
}

}  // namespace

std::string mend_command(const std::string& directory, const std::vector<std::string>& damaged) {
  if (const auto name = repository_at(directory)) {
    std::string blobs;
    for (const std::string& file : damaged) {
      std::error_code error;
      const fs::path blob = fs::canonical(fs::path(directory) / file, error);
      if (!error) blobs += " " + shell_word(blob.string());
    }
    return (blobs.empty() ? "" : "rm" + blobs + " && ") + pull_command(*name);
  }
  const std::string shown = shell_word(without_slashes(directory));
  if (path_exists(fs::path(directory) / ".git")) return "git -C " + shown + " lfs pull";
  const std::string own = canonical_path(directory).filename().string();
  if (const hub::KnownModel* known = hub::known_model(own)) {
    return pull_command({std::string(known->id), ""}) + " --local-dir " + shown +
           (damaged.empty() ? "" : " --overwrite");
  }
  if (!has_part_of_model(directory)) {
    return "name a directory with a model, or download one: bifrons pull janus-pro-1b";
  }
  return "download these files again from where the model came from";
}

}  // namespace bifrons::cli
