// refs/main names a commit, and snapshots/<commit> holds its files, as links to blobs.
#include "tools/bifrons/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "kernels/error.h"
#include "src/hub/known_models.h"
#include "src/hub/names.h"
#include "src/io/directory.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/hub_environment.h"

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

// The commit in refs/<revision>; empty if there is no valid one.
std::string commit_of(const fs::path& folder, const std::string& revision) {
  const fs::path file = folder / "refs" / revision;
  try {
    std::string commit =
        Directory::open(file.parent_path().string()).read_file(file.filename().string(), 200);
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
    return is_plain(commit) ? commit : "";
  } catch (const Error&) {
    return "";
  }
}

// Names of the folders below `path`; empty if it cannot be listed.
std::vector<std::string> folders_in(const fs::path& path) {
  std::vector<std::string> found;
  try {
    for (const std::string& name : Directory::open(path.string()).names()) {
      if (directory_exists(path / name)) found.push_back(name);
    }
  } catch (const Error&) {
    return {};
  }
  return found;
}

constexpr std::string_view kFolderPrefix = "models--";

// "owner/name" of a folder "models--owner--name"; empty for other names.
std::string id_of_folder(std::string_view folder) {
  if (!folder.starts_with(kFolderPrefix)) return {};
  folder.remove_prefix(kFolderPrefix.size());
  const size_t dashes = folder.find("--");
  if (dashes == std::string_view::npos) return {};
  const std::string id = fmt::format("{}/{}", folder.substr(0, dashes), folder.substr(dashes + 2));
  return hub::is_model_id(id) ? id : std::string();
}

// The snapshot of a revision: a ref, a commit, or the first 7 or more digits of one.
std::optional<fs::path> snapshot_of_revision(const fs::path& folder, const std::string& revision) {
  const fs::path snapshots = folder / "snapshots";
  const std::string commit = commit_of(folder, revision);
  if (!commit.empty() && directory_exists(snapshots / commit)) return snapshots / commit;
  std::vector<std::string> found;
  for (const std::string& name : folders_in(snapshots)) {
    if (name == revision) return snapshots / name;
    if (revision.size() >= 7 && name.starts_with(revision)) found.push_back(name);
  }
  if (found.size() != 1) return std::nullopt;
  return snapshots / found[0];
}

}  // namespace

std::optional<HubName> parse_hub_name(const std::string& text) {
  const size_t at = text.find('@');
  HubName name{text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
  if (const hub::KnownModel* known = hub::known_model(name.id)) name.id = known->id;
  if (!hub::is_model_id(name.id)) return std::nullopt;
  if (at != std::string::npos && !hub::is_revision(name.revision)) return std::nullopt;
  return name;
}

std::string pull_command(const HubName& name) {
  std::string shown = name.id;
  if (const hub::KnownModel* known = hub::known_model_by_id(name.id)) shown = known->name;
  return "bifrons pull " + shown + (name.revision.empty() ? "" : "@" + name.revision);
}

std::optional<fs::path> snapshot_of(const fs::path& folder, const std::string& revision) {
  const fs::path snapshots = folder / "snapshots";
  std::error_code error;
  if (fs::exists(folder / "config.json", error) || !directory_exists(snapshots))
    return std::nullopt;
  if (!revision.empty()) {
    if (auto found = snapshot_of_revision(folder, revision)) return found;
    throw Error(ErrorKind::kMissing,
                fmt::format("{}: has no snapshot of revision {}; download it: {}",
                            quote(folder.string()), quote(revision),
                            pull_command({id_of_folder(folder.filename().string()), revision})));
  }
  const std::string commit = commit_of(folder, "main");
  if (!commit.empty() && directory_exists(snapshots / commit)) return snapshots / commit;

  const std::vector<std::string> found = folders_in(snapshots);
  if (found.size() == 1) return snapshots / found[0];
  if (found.empty()) {
    const std::string id = id_of_folder(folder.filename().string());
    throw Error(
        ErrorKind::kMissing,
        fmt::format("{}: a repository of the hub's cache without a snapshot; download the "
                    "model again{}",
                    quote(folder.string()), id.empty() ? "" : ": " + pull_command({id, ""})));
  }
  throw Error(
      ErrorKind::kMissing,
      fmt::format("{}: a repository of the hub's cache whose refs/main names no snapshot; "
                  "name one of its {}, such as {}",
                  quote(folder.string()), found.size(), quote((snapshots / found[0]).string())));
}

std::optional<HubName> repository_at(const fs::path& directory) {
  const fs::path path = canonical_path(directory);
  const fs::path snapshots = path.parent_path(), folder = snapshots.parent_path();
  const std::string id = id_of_folder(folder.filename().string());
  if (snapshots.filename() != "snapshots" || id.empty()) return std::nullopt;
  if (commit_of(folder, "main") == path.filename()) return HubName{id, ""};
  return HubName{id, path.filename().string()};
}

std::vector<fs::path> cached_folders(const std::string& id) {
  std::vector<fs::path> folders = hub_cache_roots();
  const size_t slash = id.find('/');
  const std::string folder =
      fmt::format("{}{}--{}", kFolderPrefix, id.substr(0, slash), id.substr(slash + 1));
  for (fs::path& root : folders) root /= folder;
  return folders;
}

std::vector<CachedModel> cached_models() {
  std::vector<CachedModel> models;
  std::set<fs::path> seen;
  for (const fs::path& root : hub_cache_roots()) {
    if (!seen.insert(canonical_path(root)).second) continue;
    for (const std::string& name : folders_in(root)) {
      const std::string id = id_of_folder(name);
      if (id.empty()) continue;
      const fs::path folder = root / name;
      const std::string main = commit_of(folder, "main");
      const std::vector<std::string> commits = folders_in(folder / "snapshots");
      if (commits.empty()) models.push_back({{id, ""}, folder, {}});
      for (const std::string& commit : commits) {
        const bool is_main = commit == main || commits.size() == 1;
        models.push_back({{id, is_main ? "" : commit}, folder, folder / "snapshots" / commit});
      }
    }
  }
  return models;
}

}  // namespace bifrons::cli
