// Joins the directories that the shards of a batch wrote.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bifrons {

struct MergeReport {
  int64_t pictures = 0;
  std::vector<std::string> problems;  // sentences, each about one file or shard
};

// Compares every listed file with its size and SHA-256, the manifests with the records of finished
// runs, and these records with each other (missing_parts()). Changes nothing. Throws Error
// (interrupted) when `stop` is true; it is called before every file.
MergeReport check_batches(const std::vector<std::string>& directories,
                          const std::function<bool()>& stop = {});

// Lists everything in <output>/metadata.jsonl in the order of the prompt file. Files of other
// directories are linked, or copied where that cannot be; the shards' manifests in `output` itself
// go, and with them what runs left to say about the parts: when all is whole the directory checks
// clean. What is not whole is left out and a problem, and the directory does not check clean until
// the part that is missing, or after a loss the whole, has been run again. Throws Error (cannot
// write): a writer is at work in one of the directories, or the disk does not take it; interrupted
// as above, and then the same call goes on from there.
MergeReport merge_batches(const std::vector<std::string>& directories, const std::string& output,
                          const std::function<bool()>& stop = {});

}  // namespace bifrons
