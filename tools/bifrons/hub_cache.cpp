// refs/main names a commit, and snapshots/<commit> holds its files, as links to blobs.
#include "tools/bifrons/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

// Whether a name has only letters, digits, dots, dashes and underscores. A dot at the start is
// refused, so that the name cannot lead to a parent directory.
bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

// The commit in refs/main; empty if there is no valid one.
std::string main_commit(const fs::path& folder) {
  try {
    std::string commit = Directory::open((folder / "refs").string()).read_file("main", 200);
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
    return is_plain(commit) ? commit : "";
  } catch (const Error&) {
    return "";
  }
}

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

}  // namespace

std::optional<fs::path> snapshot_of(const fs::path& folder) {
  const fs::path snapshots = folder / "snapshots";
  std::error_code error;
  if (fs::exists(folder / "config.json", error) || !directory_exists(snapshots))
    return std::nullopt;
  const std::string commit = main_commit(folder);
  if (!commit.empty() && directory_exists(snapshots / commit)) return snapshots / commit;

  std::vector<std::string> found;
  for (const std::string& name : Directory::open(snapshots.string()).names()) {
    if (directory_exists(snapshots / name)) found.push_back(name);
  }
  if (found.size() == 1) return snapshots / found[0];
  if (found.empty()) {
    throw Error(ErrorKind::kMissing,
                fmt::format("{}: a repository of the hub's cache without a snapshot; download the "
                            "model again",
                            quote(folder.string())));
  }
  throw Error(
      ErrorKind::kMissing,
      fmt::format("{}: a repository of the hub's cache whose refs/main names no snapshot; "
                  "name one of its {}, such as {}",
                  quote(folder.string()), found.size(), quote((snapshots / found[0]).string())));
}

bool is_hub_name(const std::string& name) {
  const size_t slash = name.find('/');
  return slash != std::string::npos && is_plain(name.substr(0, slash)) &&
         is_plain(name.substr(slash + 1));
}

std::vector<fs::path> cached_folders(const std::string& id) {
  if (!is_hub_name(id)) return {};
  std::vector<fs::path> roots;
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const char* root = variable(name)) roots.emplace_back(root);
  }
  if (const char* home = variable("HF_HOME")) roots.push_back(fs::path(home) / "hub");
  if (const char* cache = variable("XDG_CACHE_HOME")) {
    roots.push_back(fs::path(cache) / "huggingface" / "hub");
  }
  if (const char* home = variable("HOME")) {
    roots.push_back(fs::path(home) / ".cache" / "huggingface" / "hub");
  }
  const size_t slash = id.find('/');
  const std::string folder =
      fmt::format("models--{}--{}", id.substr(0, slash), id.substr(slash + 1));
  for (fs::path& root : roots) root /= folder;
  return roots;
}

}  // namespace bifrons::cli
