// Where the Hugging Face hub's cache keeps models. Nothing here uses the network.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bifrons::cli {

// The snapshot that a repository folder of the cache ("models--owner--name") stands for: that of
// refs/main, else its only one. Nothing when `folder` is no such folder. Throws Error (missing): it
// has no snapshot, or several and no refs/main; named are those that it has.
std::optional<std::filesystem::path> snapshot_of(const std::filesystem::path& folder);

// Whether it may be a model's name on the hub: "owner/name".
bool is_hub_name(const std::string& name);

// The cache's folders for a model "owner/name", as the hub's own library looks for them: below
// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub and
// ~/.cache/huggingface/hub, each where it is set. Empty when `id` is not of that form.
std::vector<std::filesystem::path> cached_folders(const std::string& id);

}  // namespace bifrons::cli
