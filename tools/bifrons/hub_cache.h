// Finds models in the cache of the Hugging Face hub. Nothing here uses the network.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bifrons::cli {

// The snapshot of a repository folder of the cache ("models--owner--name"): the one that refs/main
// names, otherwise the only one. nullopt if `folder` is not such a folder. Throws Error (missing)
// if it has no snapshot, or several and no refs/main. The error names the snapshots.
std::optional<std::filesystem::path> snapshot_of(const std::filesystem::path& folder);

// Whether the text has the form of a model name on the hub: "owner/name".
bool is_hub_name(const std::string& name);

// The cache folders for a model "owner/name", in the search order of the hub's own library: below
// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub and
// ~/.cache/huggingface/hub, where these are set. Empty if `id` does not have that form.
std::vector<std::filesystem::path> cached_folders(const std::string& id);

}  // namespace bifrons::cli
