// .bifrons/run.json, or .bifrons/run.00003-of-00016.json of a shard: the record of the latest
// writer of that part. It says whether the writer finished, which jobs it had, and how many names
// it listed. The writer creates it at its start as unfinished. A manifest that lost lines later has
// fewer names than its record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bifrons {

struct RunRecord {
  int64_t shard = 0, shards = 1;
  bool finished = true;             // older versions wrote a record only at the end
  int64_t failed = 0;               // lines, and pictures of lines, that could not be drawn
  std::optional<int64_t> listed{};  // names in this part's manifest; not set by older versions
  // Increases when the batch is split in another way, so it needs no correct clock. The highest
  // generation in a directory belongs to the newest split. 0: from an older version.
  int64_t generation = 0;
  std::string jobs{};   // hash of the pictures of all parts and of the model; empty: unknown
  bool merged = false;  // written by a merge
};

// The generation of a run that starts with these records: that of its own split if it is the
// newest, otherwise the next one.
int64_t next_generation(const std::vector<RunRecord>& runs, int64_t shards);

std::string run_path(const std::string& directory, int64_t shard, int64_t shards);

// Throws Error (cannot write).
void write_run(const std::string& directory, const RunRecord& run);

// All records of a directory, by file name. A file that is not a valid record adds a message to the
// problems.
std::vector<RunRecord> read_runs(const std::string& directory, std::vector<std::string>& problems);

}  // namespace bifrons
