// Finds models in the cache of the Hugging Face hub. Nothing here uses the network.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons::cli {

// A model of the hub, and perhaps one of its revisions.
struct HubName {
  std::string id;        // "owner/name"
  std::string revision;  // a branch, a tag or a commit; empty: the main one
};

// Reads "owner/name", "owner/name@revision", or a short name (src/hub/known_models.h) with or
// without a revision. nullopt for other texts.
std::optional<HubName> parse_hub_name(const std::string& text);

// The command that downloads a model: "bifrons pull janus-pro-1b".
std::string pull_command(const HubName& name);

// The snapshot of a repository folder of the cache ("models--owner--name"): that of `revision`, or
// without one the snapshot that refs/main names, otherwise the only one. nullopt if `folder` is not
// such a folder. Throws Error (missing) if it has no snapshot, not this one, or several and no
// refs/main. The error names the snapshots.
std::optional<std::filesystem::path> snapshot_of(const std::filesystem::path& folder,
                                                 const std::string& revision = {});

// The model of which a directory is a snapshot in the cache; links are followed. nullopt if it is
// none.
std::optional<HubName> repository_at(const std::filesystem::path& directory);

// The cache folders for a model "owner/name", in the search order of the hub's own library: below
// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub and
// ~/.cache/huggingface/hub, where these are set.
std::vector<std::filesystem::path> cached_folders(const std::string& id);

struct CachedModel {
  HubName name;                     // with a revision for snapshots besides the main one
  std::filesystem::path folder;     // models--owner--name
  std::filesystem::path directory;  // the snapshot; empty if there is none
};

// All snapshots of all models in these caches, and the repositories without one.
std::vector<CachedModel> cached_models();

}  // namespace bifrons::cli
