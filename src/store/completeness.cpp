// First collects the records by directory, then combines several directories.
#include "src/store/completeness.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "src/io/quote.h"
#include "src/store/manifest.h"
#include "src/store/store_files.h"

namespace bifrons {
namespace {

struct RecordPart {
  RunRecord run;
  std::string directory;
};
// By number of shards.
using Splits = std::map<int64_t, std::vector<RecordPart>>;

// All parts of the splits with the highest generation. There is one such split, but there may be
// several from older versions.
Splits newest_splits(const std::string& directory, std::vector<std::string>& problems) {
  Splits splits;
  std::map<int64_t, int64_t> generation;
  int64_t highest = 0;
  for (const RunRecord& run : read_runs(directory, problems)) {
    splits[run.shards].push_back({run, directory});
    generation[run.shards] = std::max(generation[run.shards], run.generation);
    highest = std::max(highest, run.generation);
  }
  std::erase_if(splits, [&](const auto& split) { return generation[split.first] < highest; });
  return splits;
}

std::vector<std::string> missing_of(int64_t shards, const std::vector<RecordPart>& parts) {
  constexpr int64_t kMostShards = 100'000;
  std::vector<std::string> missing;
  std::map<int64_t, std::set<std::string>> finished;  // by shard: hashes of its jobs
  std::set<int64_t> unfinished;
  std::set<std::string> jobs;
  for (const RecordPart& part : parts) {
    if (part.run.finished) {
      finished[part.run.shard].insert(part.run.jobs);
      if (!part.run.jobs.empty()) jobs.insert(part.run.jobs);
    } else if (shards == 1) {
      missing.push_back("the run in " + quote(part.directory, 160) + " has not finished");
    } else {
      unfinished.insert(part.run.shard);
    }
  }
  if (shards == 1) return missing;
  for (int64_t i = 0; i < std::min(shards, kMostShards); ++i) {
    if (!finished.contains(i) || unfinished.contains(i)) {
      missing.push_back(fmt::format("shard {} of {} has not finished", i, shards));
    }
  }
  if (!missing.empty()) return missing;
  for (const auto& [shard, drew] : finished) {
    if (drew.contains("")) continue;  // a record of an older version has no hash
    if (drew != jobs) {
      return {
          fmt::format("the {} shards did not all draw the same prompts with the same settings; "
                      "run them again",
                      shards)};
    }
  }
  return {};
}

void add_failures(const std::vector<RecordPart>& parts, std::vector<std::string>& problems) {
  for (const auto& [run, directory] : parts) {
    if (run.failed == 0) continue;
    const std::string where = run.shards == 1
                                  ? "the run in " + quote(directory, 160)
                                  : fmt::format("shard {} of {}", run.shard, run.shards);
    problems.push_back(fmt::format("{} lines failed in {}", run.failed, where));
  }
}

void remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) fail_to_write(path, errno);
}

}  // namespace

std::vector<std::string> missing_parts(const std::vector<std::string>& directories) {
  std::vector<std::string> problems;
  Splits together;
  for (const std::string& directory : directories) {
    Splits splits = newest_splits(directory, problems);
    if (splits.empty() && !manifests_in(directory).empty()) {
      problems.push_back("no run has finished in " + quote(directory, 160));
    }
    const auto whole = std::find_if(splits.begin(), splits.end(), [](const auto& split) {
      return missing_of(split.first, split.second).empty();
    });
    if (whole != splits.end()) {
      add_failures(whole->second, problems);
      continue;
    }
    for (auto& [shards, parts] : splits) {
      std::move(parts.begin(), parts.end(), std::back_inserter(together[shards]));
    }
  }
  for (const auto& [shards, parts] : together) {
    for (std::string& each : missing_of(shards, parts)) problems.push_back(std::move(each));
    add_failures(parts, problems);
  }
  return problems;
}

bool is_merge_of_others(const std::string& directory) {
  std::vector<std::string> problems;
  const Splits splits = newest_splits(directory, problems);
  return splits.size() == 1 && splits.contains(1) && splits.at(1).front().run.merged;
}

void record_merge(const std::string& directory, int64_t listed, MergeOutcome outcome) {
  std::vector<std::string> damaged;
  const std::vector<RunRecord> runs = read_runs(directory, damaged);
  RunRecord merged{.finished = outcome == MergeOutcome::kWhole, .listed = listed, .merged = true};
  if (outcome == MergeOutcome::kIncomplete) {
    // Generation 0: records of the parts take precedence, if there are any.
    for (const RunRecord& run : runs) {
      if (run.shards == 1 && !run.merged) merged = run;
    }
    merged.listed = listed;
  } else {
    for (const RunRecord& run : runs) {
      merged.generation = std::max(merged.generation, run.generation + 1);
    }
  }
  write_run(directory, merged);
  for (RunRecord run : runs) {
    if (run.shards == 1) continue;
    if (outcome == MergeOutcome::kIncomplete) {
      run.listed.reset();  // its manifest will be removed
      write_run(directory, run);
    } else {
      remove_file(run_path(directory, run.shard, run.shards));
    }
  }
}

}  // namespace bifrons
