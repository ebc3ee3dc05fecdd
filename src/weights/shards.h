// Which files of a model directory hold its weights.
#pragma once

#include <string>
#include <vector>

#include "src/io/directory.h"

namespace bifrons {

enum class ContainerFormat { kSafetensors, kTorch };

struct WeightFiles {
  ContainerFormat format = ContainerFormat::kSafetensors;
  std::vector<std::string> files;  // sorted, relative to the directory, no slashes
  // Of an index: (tensor, position in `files`), sorted by tensor; empty without an index.
  std::vector<std::pair<std::string, size_t>> index;
  std::string index_name;  // as shown in messages; empty without an index
};

// Chooses as Checkpoint describes and reads the index if there is one. Throws Error (missing: no
// weights; data: what is wrong with the index).
WeightFiles find_weight_files(const Directory& directory);

// An index's text: {"weight_map": {tensor: file}}. File names must be plain, that is without
// slashes or leading dots, and end in `suffix`. `shown_name` stands for the index in messages.
WeightFiles parse_index(std::string_view text, std::string_view suffix,
                        const std::string& shown_name);

}  // namespace bifrons
