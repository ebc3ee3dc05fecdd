// Diagnosis of a directory without readable weights: what it holds, and what to do.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/directory.h"

namespace bifrons {

// Recognises a directory that is not a model directory. Returns a clause that follows the
// directory's name: "holds a LoRA adapter; ...". Returns nullopt if the kind is unknown. Only file
// names are examined.
std::optional<std::string> detect_directory_kind(const Directory& directory);

// The same for a directory with a config but without weights under a name that is read. Call it if
// detect_directory_kind() returned nullopt.
std::optional<std::string> oddly_named_weights(const Directory& directory);

// Recognises a file that is no part of a model by its name: another format, an unfinished download,
// an archive. Returns a clause that follows the name, with what to do. nullopt for other names.
std::optional<std::string> odd_file(const std::string& name);

// The parsed name of a shard: `<stem>-00002-of-00005<suffix>`.
struct ShardName {
  std::string stem;
  int64_t part = 0;
  int64_t parts = 0;
  std::string suffix;  // ".safetensors"
};
std::optional<ShardName> parse_shard_name(std::string_view name);
std::string shard_name(const ShardName& like, int64_t part);

// If a downloader left a file which says that `name` is incomplete, returns the name of that file.
std::optional<std::string> unfinished_download(const Directory& directory, const std::string& name);

}  // namespace bifrons
