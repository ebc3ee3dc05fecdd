// Time is estimated from pictures that were drawn here before, or by drawing for at most two
// seconds.
#include "tools/bifrons/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "src/io/json.h"
#include "src/store/manifest.h"
#include "src/understand.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/size_text.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr double kProbeSeconds = 2;
// Pictures after which a small model has been measured long enough: more than its lanes.
constexpr uint64_t kProbePictures = 24;
constexpr double kBytesOfAPixel = 1.5;  // PNGs of drawn pictures: 219 KB at 384x384

struct Estimate {
  double bytes_each = 0;    // of a picture
  double seconds_each = 0;  // to draw and judge one picture or candidate; 0: unknown
  std::string from;
};

// The number of candidates for the picture of a manifest line; 0: it was not judged.
int64_t candidates_of(const Json& line) {
  const Json* choice = line.find("best_of");
  const Json* candidates = choice == nullptr ? nullptr : choice->find("candidates");
  return candidates != nullptr && candidates->is_array()
             ? static_cast<int64_t>(candidates->items("best_of").size())
             : 0;
}

// An estimate from up to a thousand pictures of the manifest. Time is taken only from judged
// pictures if the new ones will be judged, otherwise only from pictures that were not judged.
Estimate from_manifest(const std::string& directory, bool judged) {
  Estimate estimate;
  int64_t count = 0, alike = 0, drawings = 0;
  double bytes = 0, seconds = 0;
  for (const std::string& name : manifests_in(directory)) {
    read_manifest(directory + "/" + name, [&](const ManifestRow& row) {
      if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
      if (count == 1000) return;
      const auto entry = read_manifest_line(row.text);
      if (!entry) return;
      const Json line = Json::parse(row.text, "metadata.jsonl");
      const Json* took = line.find("seconds");
      const int64_t candidates = candidates_of(line);
      bytes += static_cast<double>(entry->bytes);
      ++count;
      if (took == nullptr || (candidates > 0) != judged) return;
      seconds += took->real("seconds");
      drawings += std::max<int64_t>(1, candidates);
      ++alike;
    });
  }
  if (count > 0) estimate.bytes_each = bytes / static_cast<double>(count);
  if (alike > 0) {
    estimate.seconds_each = seconds / static_cast<double>(drawings);
    estimate.from = fmt::format("{} pictures drawn here", alike);
  }
  return estimate;
}

// Seconds to judge one of many pictures. The second one is timed, because the first fills the
// prefix cache. 0 if the question is too long, which is an error of its line.
double seconds_of_judging(Understanding& judge, const ModelInfo& model,
                          const std::string& question) {
  const int64_t side = model.image_size;
  const Picture blank{side, side, std::vector<uint8_t>(static_cast<size_t>(side * side * 3))};
  try {
    judge.judge(blank, question);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUsage) throw;
    return 0;
  }
  const auto start = std::chrono::steady_clock::now();
  judge.judge(blank, question);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The requests of these jobs, complete for drawing.
std::vector<DrawRequest> requests_of(const std::vector<PictureJob>& jobs, BatchEdits& edits) {
  std::vector<DrawRequest> requests;
  for (const PictureJob& job : jobs) {
    requests.push_back(job.request);
    edits.complete(0, job, requests.back());
  }
  return requests;
}

Estimate by_drawing(Engine& engine, const BatchArguments& arguments,
                    const std::vector<DrawRequest>& requests) {
  const ModelInfo& model = engine.model();
  Estimate estimate;
  const auto side = static_cast<double>(model.image_size);
  estimate.bytes_each = side * side * kBytesOfAPixel;
  if (requests.empty()) return estimate;
  // Timing starts after the first step, to exclude prefill and the start of the device.
  std::optional<std::chrono::steady_clock::time_point> start;
  const auto seconds = [&start] {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - start.value_or(now)).count();
  };
  double took = 0;
  int64_t before = 0, after = 0;
  uint64_t next = 0;
  BatchOptions options;
  options.lanes = arguments.lanes;
  options.rows = rows_of(engine.planned());
  options.progress = [&](const BatchProgress& progress) {
    if (!start) {
      before = progress.tokens;
      start = std::chrono::steady_clock::now();
    }
    after = progress.tokens;
    took = seconds();
    return took < kProbeSeconds && !stop_requested();
  };
  engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (seconds() > kProbeSeconds || next >= kProbePictures) return std::nullopt;
        DrawRequest request = requests[next % requests.size()];
        request.seed += next;
        return BatchJob{next++, request};
      },
      [](const BatchResult&) {}, options);
  if (after > before && took > 0) {
    estimate.seconds_each =
        took / static_cast<double>(after - before) * static_cast<double>(model.image_tokens);
    estimate.from = "drawing for a moment";
  }
  return estimate;
}

// Throws the error of a run without enough memory. Draws nothing.
void check_memory(Engine& engine, int lanes) {
  BatchOptions options;
  options.lanes = lanes;
  options.rows = rows_of(engine.planned());
  engine.draw_batch([] { return std::optional<BatchJob>(); }, [](const BatchResult&) {}, options);
}

// The number of drawings for the remaining pictures: several for each with --best-of.
int64_t drawings_of(const Survey& s, int64_t best_of) {
  return s.to_draw() * std::max<int64_t>(1, best_of);
}

// The number of pictures drawn at once, and the memory for them.
struct MemoryNeed {
  int lanes = 0;
  PlannedPictures planned{};
  std::vector<MemoryItem> items;

  int64_t bytes() const {
    int64_t sum = 0;
    for (const MemoryItem& item : items) sum += item.bytes;
    return sum;
  }
};

std::string memory_json(const MemoryNeed& need) {
  nlohmann::ordered_json out{{"pictures", need.lanes}, {"bytes", need.bytes()}};
  for (const MemoryItem& item : need.items) out["items"][item.name] = item.bytes;
  return out.dump();
}

std::string memory_text(const MemoryNeed& need, bool judged) {
  std::string text =
      fmt::format("memory      {} for {} at once, prompts of {} tokens{}{}{}\n",
                  size_text(static_cast<double>(need.bytes())),
                  need.lanes == 1 ? "one picture" : fmt::format("{} pictures", need.lanes),
                  need.planned.prompt_tokens, need.planned.thinks ? " with their thoughts" : "",
                  need.planned.edit != nullptr ? " beside a picture" : "",
                  judged ? ", beside what judging takes" : "");
  for (const MemoryItem& item : need.items) {
    text += fmt::format("  {:<30} {:>9}\n", item.name, size_text(static_cast<double>(item.bytes)));
  }
  return text;
}

std::string json_report(const Survey& s, const Estimate& e, const MemoryNeed& need,
                        int64_t best_of) {
  const int64_t drawings = drawings_of(s, best_of);
  return fmt::format(
      R"({{"schema":1,"event":"dry_run","lines":{},"bad_lines":{},"pictures":{},"of_shard":{},)"
      R"("done":{},"changed":{},"duplicates":{},"to_draw":{},"drawings":{},)"
      R"("bytes":{:.0f},"seconds":{},"memory":{}}})"
      "\n",
      s.lines, s.bad_lines, s.pictures, s.of_shard, s.done, s.changed, s.duplicates, s.to_draw(),
      drawings, static_cast<double>(s.to_draw()) * e.bytes_each,
      e.seconds_each > 0 ? fmt::format("{:.1f}", static_cast<double>(drawings) * e.seconds_each)
                         : "null",
      memory_json(need));
}

std::string text_report(const Survey& s, const Estimate& e, const MemoryNeed& need,
                        const Shard& shard, int64_t best_of) {
  const auto to_draw = static_cast<double>(s.to_draw());
  const int64_t drawings = drawings_of(s, best_of);
  std::string text = fmt::format("lines       {}, of them bad {}\n", s.lines, s.bad_lines);
  text += fmt::format(
      "pictures    {}{}\n", s.pictures,
      shard.count > 1 ? fmt::format(", of shard {} of {}: {}", shard.index, shard.count, s.of_shard)
                      : "");
  text += fmt::format("duplicates  {}\n", s.duplicates);
  text += fmt::format("done        {}\n", s.done);
  text += fmt::format("to draw     {}{}\n", s.to_draw(),
                      s.changed > 0 ? fmt::format(", of them changed {}", s.changed) : "");
  if (best_of > 0) {
    text += fmt::format("drawings    {}, of which one in {} is kept\n", drawings, best_of);
  }
  text += fmt::format("disk        about {}\n", size_text(to_draw * e.bytes_each));
  text += e.seconds_each > 0
              ? fmt::format("time        about {} (from {})\n",
                            clock_text(static_cast<double>(drawings) * e.seconds_each), e.from)
              : std::string("time        unknown\n");
  text += memory_text(need, best_of > 0);
  for (const std::string& name : s.first_names) text += "first       " + name + "\n";
  return text;
}

}  // namespace

int dry_run_batch(const BatchArguments& arguments, const DryRunFacts& facts) {
  const Survey& found = facts.found;
  const int64_t best_of = arguments.best_of.candidates.value_or(0);
  Estimate estimate = from_manifest(arguments.output, best_of > 0);
  Engine& engine = facts.engine;
  if (found.planned.edit != nullptr) {
    engine.plan_for(planned_with(engine.planned(), *found.planned.edit));
  }
  const int lanes = arguments.lanes > 0 ? std::min(arguments.lanes, engine.most_lanes())
                                        : engine.automatic_lanes();
  if (found.to_draw() > 0) check_memory(engine, lanes);
  if (estimate.seconds_each == 0) {
    const Estimate drawn =
        by_drawing(engine, arguments, requests_of(found.first_jobs, facts.edits));
    if (estimate.bytes_each == 0) estimate.bytes_each = drawn.bytes_each;
    estimate.seconds_each = drawn.seconds_each;
    estimate.from = drawn.from;
    if (facts.judge != nullptr && estimate.seconds_each > 0) {
      estimate.seconds_each += seconds_of_judging(
          *facts.judge, engine.model(),
          question_about(facts.question, found.first_jobs.front().request.prompt));
    }
  }
  if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
  const MemoryNeed need{lanes, engine.planned(), engine.memory_plan(lanes)};
  write_stdout(arguments.jsonl ? json_report(found, estimate, need, best_of)
                               : text_report(found, estimate, need, facts.shard, best_of));
  if (arguments.strict) refuse_bad_lines(found);
  return found.bad_lines > 0 ? kExitSomeFailed : 0;
}

}  // namespace bifrons::cli
