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

// Checks the size and SHA-256 of every listed file, compares the manifests with the records of
// finished runs, and these records with each other (missing_parts()). Changes nothing. `stop` is
// called before every file. Throws Error (interrupted) if it returns true.
MergeReport check_batches(const std::vector<std::string>& directories,
                          const std::function<bool()>& stop = {});

// Lists everything in <output>/metadata.jsonl in the order of the prompt file. Files of other
// directories are linked, or copied if a link is not possible. The shards' manifests in `output`
// and the run records of the parts are removed: a complete directory then passes the check.
// Incomplete pictures are left out and reported as problems. Then the directory fails the check
// until the missing part has run again, or after a loss the whole batch. Throws Error: cannot write
// if a writer is active in one of the directories or a write fails; interrupted as above. After an
// interruption the same call continues.
MergeReport merge_batches(const std::vector<std::string>& directories, const std::string& output,
                          const std::function<bool()>& stop = {});

}  // namespace bifrons
