// Chooses the files of a model directory that hold its weights.
#pragma once

#include <string>
#include <vector>

#include "src/io/directory.h"

namespace bifrons {

enum class ContainerFormat { kSafetensors, kTorch };

struct WeightFiles {
  ContainerFormat format = ContainerFormat::kSafetensors;
  std::vector<std::string> files;  // sorted, relative to the directory, no slashes
  // Content of the index: (tensor, position in `files`), sorted by tensor; empty without an index.
  std::vector<std::pair<std::string, size_t>> index;
  std::string index_name;  // for messages; empty without an index
};

// Chooses as described at Checkpoint, and reads the index if there is one. Throws Error (missing:
// no weights; data: what is wrong with the index).
WeightFiles find_weight_files(const Directory& directory);

// Parses an index: {"weight_map": {tensor: file}}. File names must be plain (no slash, no leading
// dot) and end in `suffix`. `shown_name` is the name of the index in messages.
WeightFiles parse_index(std::string_view text, std::string_view suffix,
                        const std::string& shown_name);

}  // namespace bifrons
