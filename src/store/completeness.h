// Whether a batch is complete, according to the records of its runs.
//
// Only the newest records of a directory count: a run with another shard count starts a new
// generation (RunRecord) and takes over everything unfinished in older ones. A batch is complete
// when every part of the newest split has finished and all parts drew from the same prompt file, by
// their hashes of its jobs. The parts may be in several directories.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/store/run_record.h"

namespace bifrons {

// Sentences about parts that have not finished, do not fit together or had lines that failed; empty
// when all is complete. A directory without manifests and records is ignored.
std::vector<std::string> missing_parts(const std::vector<std::string>& directories);

// Whether the newest record of a directory is that of a merge: its parts are elsewhere.
bool is_merge_of_others(const std::string& directory);

enum class MergeOutcome {
  kWhole,       // everything is in the directory
  kIncomplete,  // what has been drawn is there; finished parts need not run again
  kLost,        // the directory has lost pictures: it has to be run again
};

// Writes the record of a directory whose manifest now lists the pictures of all parts.
void record_merge(const std::string& directory, int64_t listed, MergeOutcome outcome);

}  // namespace bifrons
