// Determines from the run records whether a batch is complete.
//
// Only the newest records of a directory count: a run with another shard count starts a new
// generation (RunRecord) and takes over everything unfinished in older ones. A batch is complete
// when every part of the newest split has finished and all parts have the same hash of jobs, that
// is, the same prompt file. The parts may be in several directories.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/store/run_record.h"

namespace bifrons {

// Messages about parts that have not finished, do not fit together or had lines that failed. Empty:
// the batch is complete. A directory without manifests and records is ignored.
std::vector<std::string> missing_parts(const std::vector<std::string>& directories);

// Whether the newest record of a directory is from a merge. Then its parts are in other
// directories.
bool is_merge_of_others(const std::string& directory);

enum class MergeOutcome {
  kWhole,       // everything is in the directory
  kIncomplete,  // all drawn pictures are in the directory; finished parts need not run again
  kLost,        // pictures of the directory were lost: the batch must run again
};

// Writes the record of a directory whose manifest now lists the pictures of all parts.
void record_merge(const std::string& directory, int64_t listed, MergeOutcome outcome);

}  // namespace bifrons
