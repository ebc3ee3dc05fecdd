// .bifrons/run.json, and .bifrons/run.00003-of-00016.json of a shard: whether the writer of that
// part came to its end, and what it listed. What a manifest has lost since then shows against it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bifrons {

struct RunRecord {
  int64_t shard = 0, shards = 1;
  int64_t failed = 0;               // lines, and pictures of lines, that did not become a picture
  std::optional<int64_t> listed{};  // names in the manifest of this part; older versions do not say
};

std::string run_path(const std::string& directory, int64_t shard, int64_t shards);

// Throws Error (cannot write).
void write_run(const std::string& directory, const RunRecord& run);

// All records of a directory, by name of the file. A file that is none is a problem: a sentence.
std::vector<RunRecord> read_runs(const std::string& directory, std::vector<std::string>& problems);

}  // namespace bifrons
