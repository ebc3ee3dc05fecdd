// Directories that shards of a batch wrote, made one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bifrons {

struct MergeReport {
  int64_t pictures = 0;
  std::vector<std::string> problems;  // sentences, each about one file or shard
};

// Compares every listed file with its size and SHA-256, and the shards with what they say of each
// other. Changes nothing.
MergeReport check_batches(const std::vector<std::string>& directories);

// Lists everything in <output>/metadata.jsonl in the order of the prompt file. Files of other
// directories are linked, or copied where that cannot be; the shards' manifests in `output` itself
// go. What is not whole is left out and a problem. Throws Error (cannot write): a writer is at work
// in one of the directories, or the disk does not take it.
MergeReport merge_batches(const std::vector<std::string>& directories, const std::string& output);

}  // namespace bifrons
