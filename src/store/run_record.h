// .bifrons/run.json, and .bifrons/run.00003-of-00016.json of a shard: whether the latest writer of
// that part came to its end, on what, and what it listed. It is there from the writer's beginning,
// unfinished. What a manifest has lost since then shows against it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bifrons {

struct RunRecord {
  int64_t shard = 0, shards = 1;
  bool finished = true;             // older versions left a record at the end only
  int64_t failed = 0;               // lines, and pictures of lines, that did not become a picture
  std::optional<int64_t> listed{};  // names in the manifest of this part; older versions do not say
  // Grows whenever the batch is split in another way, so that no clock has to be right: the highest
  // one in a directory is the newest split. 0: of an older version.
  int64_t generation = 0;
  std::string jobs{};   // a hash of the pictures of all parts and of the model; empty: unknown
  bool merged = false;  // written by a merge
};

// Of a run that begins where those records are: that of its split while it is the newest.
int64_t next_generation(const std::vector<RunRecord>& runs, int64_t shards);

std::string run_path(const std::string& directory, int64_t shard, int64_t shards);

// Throws Error (cannot write).
void write_run(const std::string& directory, const RunRecord& run);

// All records of a directory, by name of the file. A file that is none is a problem: a sentence.
std::vector<RunRecord> read_runs(const std::string& directory, std::vector<std::string>& problems);

}  // namespace bifrons
