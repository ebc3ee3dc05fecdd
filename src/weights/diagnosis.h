// What a directory without weights that can be read holds instead, and what to do about it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/directory.h"

namespace bifrons {

// A clause to follow the directory's name when it is no model directory: "holds a LoRA adapter;
// ...". Nothing when it is not known. Only names are looked at.
std::optional<std::string> other_kind_of_directory(const Directory& directory);

// The same of a directory with a config, but without weights under a name that is read, of which
// `other_kind_of_directory` knows nothing.
std::optional<std::string> oddly_named_weights(const Directory& directory);

// A file `<stem>-00002-of-00005<suffix>`.
struct PartName {
  std::string stem;
  int64_t part = 0;
  int64_t parts = 0;
  std::string suffix;  // ".safetensors"
};
std::optional<PartName> parse_part_name(std::string_view name);
std::string part_name(const PartName& like, int64_t part);

// Whether a downloader left a note that `name` is not finished beside it: the note's name.
std::optional<std::string> unfinished_download(const Directory& directory, const std::string& name);

}  // namespace bifrons
