// Whether the runs of a batch have drawn all of it, told from the records they leave.
//
// A directory is judged by its newest records alone: a run that splits the batch in another way
// than the newest before it begins a new generation (RunRecord), and what older ones left undone is
// its business now. It is complete when every part of a newest split has finished and all of them
// drew the same pictures, which their hashes of the prompt file's jobs tell. Newest parts that are
// spread over several directories are put together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/store/run_record.h"

namespace bifrons {

// Sentences about parts that have not finished, do not fit together or had lines that failed; none
// when all is complete. A directory without manifests and records is no batch and not asked.
std::vector<std::string> missing_parts(const std::vector<std::string>& directories);

// Whether the newest record of a directory is that of a merge: its parts are elsewhere.
bool is_merge_of_others(const std::string& directory);

enum class MergeOutcome {
  kWhole,       // everything is in the directory
  kIncomplete,  // as far as it has been drawn; finished parts need not be run again
  kLost,        // the directory has lost pictures: it has to be run again
};

// What is to be known of a directory whose manifest lists the pictures of all others, which go.
void record_merge(const std::string& directory, int64_t listed, MergeOutcome outcome);

}  // namespace bifrons
