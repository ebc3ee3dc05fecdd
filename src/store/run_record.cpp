// Small JSON files that are written atomically.
#include "src/store/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/store/manifest.h"
#include "src/store/store_files.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

// Larger than any real count, and small enough to be added without overflow.
constexpr int64_t kLargest = int64_t{1} << 50;

constexpr int64_t kLongestRecord = 1 << 20;  // bytes

std::optional<int64_t> integer(const Json& json, const char* name) {
  const Json* value = json.find(name);
  if (value == nullptr) return std::nullopt;
  const int64_t number = value->unsigned_integer(name);
  return number <= kLargest ? number
                            : throw Error(ErrorKind::kData, std::string(name) + " is huge");
}

// Throws Error (data).
RunRecord parse_run(const std::string& text) {
  const Json json = Json::parse(text, "run");
  const auto needed = [&](const char* name) {
    const auto value = integer(json, name);
    return value ? *value : throw Error(ErrorKind::kData, std::string("no ") + name);
  };
  RunRecord run;
  run.shard = needed("shard");
  run.shards = needed("shards");
  run.failed = needed("failed");
  run.listed = integer(json, "listed");
  run.generation = integer(json, "generation").value_or(0);
  if (run.shard >= run.shards) throw Error(ErrorKind::kData, "there is no such part");
  if (const Json* finished = json.find("finished")) run.finished = finished->boolean("finished");
  if (const Json* merged = json.find("merged")) run.merged = merged->boolean("merged");
  if (const Json* jobs = json.find("jobs")) run.jobs = jobs->text("jobs");
  return run;
}

}  // namespace

int64_t next_generation(const std::vector<RunRecord>& runs, int64_t shards) {
  int64_t mine = 0, others = 0;
  for (const RunRecord& run : runs) {
    int64_t& highest = run.shards == shards ? mine : others;
    highest = std::max(highest, run.generation);
  }
  return std::max<int64_t>(1, mine > others ? mine : others + 1);
}

std::string run_path(const std::string& directory, int64_t shard, int64_t shards) {
  return directory + "/.bifrons/run" + shard_suffix(shard, shards) + ".json";
}

void write_run(const std::string& directory, const RunRecord& run) {
  std::string text =
      fmt::format(R"({{"shard":{},"shards":{},"failed":{},"finished":{},"generation":{})",
                  run.shard, run.shards, run.failed, run.finished, run.generation);
  if (run.listed) text += fmt::format(R"(,"listed":{})", *run.listed);
  if (!run.jobs.empty()) text += ",\"jobs\":" + json_text(run.jobs);
  if (run.merged) text += ",\"merged\":true";
  text += "}\n";
  write_durably(run_path(directory, run.shard, run.shards),
                {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, IfExists::kReplace);
}

std::vector<RunRecord> read_runs(const std::string& directory, std::vector<std::string>& problems) {
  std::vector<std::string> paths;
  const std::string hidden = directory + "/.bifrons";
  for (const std::string& name : names_in(hidden)) {
    if (name.starts_with("run.") && name.ends_with("json")) paths.push_back(hidden + "/" + name);
  }
  std::sort(paths.begin(), paths.end());
  std::vector<RunRecord> runs;
  for (const std::string& path : paths) {
    try {
      const RunRecord run = parse_run(content_of(path, kLongestRecord).value_or(""));
      if (path != run_path(directory, run.shard, run.shards)) {
        throw Error(ErrorKind::kData, "the name is that of another part");
      }
      runs.push_back(run);
    } catch (const Error&) {
      problems.push_back(quote(path, 160) + " is damaged");
    }
  }
  return runs;
}

}  // namespace bifrons
