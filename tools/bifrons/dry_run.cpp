// Time is estimated from what was drawn here before, or by drawing for two seconds.
#include "tools/bifrons/dry_run.h"

#include <fmt/format.h>

#include <chrono>

#include "src/batch/listing.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "tools/bifrons/batch_survey.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons {
namespace {

constexpr int64_t kShownBadLines = 20;
constexpr double kProbeSeconds = 2;
constexpr double kBytesOfAPixel = 1.5;  // PNGs of drawn pictures: 219 KB at 384x384

struct Estimate {
  double bytes_each = 0;
  double seconds_each = 0;  // 0: unknown
  std::string from;
};

// From up to a thousand pictures that are there.
Estimate from_manifest(const std::string& directory) {
  Estimate estimate;
  int64_t count = 0;
  double bytes = 0, seconds = 0;
  for (const std::string& name : manifests_in(directory)) {
    read_manifest(directory + "/" + name, [&](const ManifestRow& row) {
      if (count == 1000) return;
      const auto entry = read_manifest_line(row.text);
      if (!entry) return;
      const Json line = Json::parse(row.text, "metadata.jsonl");
      const Json* took = line.find("seconds");
      bytes += static_cast<double>(entry->bytes);
      seconds += took == nullptr ? 0 : took->real("seconds");
      ++count;
    });
  }
  if (count == 0) return estimate;
  return {bytes / static_cast<double>(count), seconds / static_cast<double>(count),
          fmt::format("{} pictures drawn here", count)};
}

Estimate by_drawing(Engine& engine, const BatchArguments& arguments,
                    const std::vector<DrawRequest>& requests) {
  const ModelInfo& model = engine.model();
  Estimate estimate;
  const auto side = static_cast<double>(model.image_size);
  estimate.bytes_each = side * side * kBytesOfAPixel;
  if (requests.empty()) return estimate;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double from = 0, to = 0;  // after the first step, which contains the prefill
  int64_t before = 0, after = 0;
  uint64_t next = 0;
  BatchOptions options;
  options.lanes = arguments.lanes;
  options.progress = [&](const BatchProgress& progress) {
    if (before == 0) {
      before = progress.tokens;
      from = seconds();
    }
    after = progress.tokens;
    to = seconds();
    return to < kProbeSeconds && !stop_requested();
  };
  engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (seconds() > kProbeSeconds) return std::nullopt;
        DrawRequest request = requests[next % requests.size()];
        request.seed += next;
        return BatchJob{next++, request};
      },
      [](const BatchResult&) {}, options);
  if (after > before && to > from) {
    estimate.seconds_each =
        (to - from) / static_cast<double>(after - before) * static_cast<double>(model.image_tokens);
    estimate.from = "drawing for a moment";
  }
  return estimate;
}

std::string size_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.1f} GB", bytes / 1e9);
  return bytes >= 1e6 ? fmt::format("{:.1f} MB", bytes / 1e6)
                      : fmt::format("{:.0f} kB", bytes / 1e3);
}

std::string json_report(const Survey& s, const Estimate& e) {
  const auto to_draw = static_cast<double>(s.to_draw());
  return fmt::format(
      R"({{"schema":1,"event":"dry_run","lines":{},"bad_lines":{},"pictures":{},"of_shard":{},)"
      R"("done":{},"changed":{},"duplicates":{},"to_draw":{},"bytes":{:.0f},"seconds":{}}})"
      "\n",
      s.lines, s.bad_lines, s.pictures, s.of_shard, s.done, s.changed, s.duplicates, s.to_draw(),
      to_draw * e.bytes_each,
      e.seconds_each > 0 ? fmt::format("{:.1f}", to_draw * e.seconds_each) : "null");
}

std::string text_report(const Survey& s, const Estimate& e, const Shard& shard) {
  const auto to_draw = static_cast<double>(s.to_draw());
  std::string text = fmt::format("lines       {}, of them bad {}\n", s.lines, s.bad_lines);
  text += fmt::format(
      "pictures    {}{}\n", s.pictures,
      shard.count > 1 ? fmt::format(", of shard {} of {}: {}", shard.index, shard.count, s.of_shard)
                      : "");
  text += fmt::format("duplicates  {}\n", s.duplicates);
  text += fmt::format("done        {}\n", s.done);
  text += fmt::format("to draw     {}{}\n", s.to_draw(),
                      s.changed > 0 ? fmt::format(", of them changed {}", s.changed) : "");
  text += fmt::format("disk        about {}\n", size_text(to_draw * e.bytes_each));
  text += e.seconds_each > 0 ? fmt::format("time        about {} (from {})\n",
                                           clock_text(to_draw * e.seconds_each), e.from)
                             : std::string("time        unknown\n");
  for (const std::string& name : s.first_names) text += "first       " + name + "\n";
  return text;
}

}  // namespace

int dry_run_batch(const BatchArguments& arguments, const DryRunFacts& facts) {
  Estimate estimate = from_manifest(arguments.output);
  EngineOptions options;
  options.model = facts.model;
  options.device = arguments.devices.substr(0, arguments.devices.find(','));
  options.threads = arguments.threads;
  Engine engine = open_engine(options, false, arguments.talk);
  const ManifestIndex index = read_manifests(arguments.output);
  int64_t shown = 0;
  SurveyHooks hooks;
  hooks.stop = stop_requested;
  hooks.state = [&](const PictureJob& job) {
    return state_of_picture(index.find(job.file_name), arguments.output,
                            {job.file_name, engine.model().weights_hash, 0, "", job.key},
                            arguments.resume);
  };
  hooks.bad = [&](const BadLine& bad) {
    if (++shown > kShownBadLines) return;
    say(fmt::format("{}:{}: {}\n", facts.source.name(), bad.number, bad.reason));
  };
  hooks.fault = [&](const DrawRequest& request) {
    const auto fault = engine.fault_of(request);
    return fault ? std::string(fault->what()) : std::string();
  };
  JobStream jobs(PromptReader(
                     facts.source.stream(), facts.format,
                     [&](const std::string& remark) {
                       note(arguments.talk, facts.source.name() + ": " + remark);
                     },
                     facts.source.name()),
                 facts.options);
  const Survey found = survey(jobs, facts.shard, hooks);
  if (shown > kShownBadLines) {
    say(fmt::format("bifrons: {} more bad lines\n", shown - kShownBadLines));
  }
  if (estimate.seconds_each == 0) {
    const Estimate drawn = by_drawing(engine, arguments, found.first_requests);
    if (estimate.bytes_each == 0) estimate.bytes_each = drawn.bytes_each;
    estimate.seconds_each = drawn.seconds_each;
    estimate.from = drawn.from;
  }
  write_stdout(arguments.jsonl ? json_report(found, estimate)
                               : text_report(found, estimate, facts.shard));
  return found.bad_lines > 0 ? 3 : 0;
}

}  // namespace bifrons
