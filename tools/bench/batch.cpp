// Draws the same pictures with each number of lanes, in turns.
#include "tools/bench/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/io/fnv1a.h"
#include "src/io/quote.h"
#include "tools/bench/durability.h"
#include "tools/bench/measure.h"

namespace bifrons {
namespace {

const std::vector<std::string> kPrompts = {
    "a fox",
    "two red balloons over the sea at night",
    "a panda on the grass",
    "three yellow stars above a snowy hill, a small house with a lit window beside a lake",
    "a cat in the rain",
    "a castle by the river in the evening with a boat, two trees and a flag on the tower",
    "an owl",
    "a green train in the desert under a blue sky"};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Run {
  BatchStats stats;
  double cpu = 0;
  uint64_t hash = 0;
  double rate() const {
    return static_cast<double>(stats.pictures) / std::max(1e-9, stats.wall_seconds);
  }
};

// FNV-1a over the codes of all pictures in job order.
uint64_t hash_of(const std::map<uint64_t, std::vector<int32_t>>& codes) {
  uint64_t hash = kFnv1aStart;
  for (const auto& [id, tokens] : codes) {
    for (int32_t token : tokens) hash = fnv1a_step(hash, static_cast<uint32_t>(token));
  }
  return hash;
}

Run draw_once(Engine& engine, const BatchBenchOptions& options, int lanes) {
  std::map<uint64_t, std::vector<int32_t>> codes;
  Run run;
  const double before = cpu_seconds();
  run.stats = engine.draw_batch(bench_jobs(options),
                                [&](BatchResult result) {
                                  if (result.error) throw *result.error;
                                  codes[result.id] = std::move(result.drawing->tokens);
                                },
                                {.lanes = lanes});
  run.cpu = cpu_seconds() - before;
  run.hash = hash_of(codes);
  return run;
}

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

double idle_percent(const BatchStats& stats) {
  return percent(static_cast<double>(stats.idle_lane_steps), static_cast<double>(stats.lane_steps));
}

}  // namespace

JobSource bench_jobs(const BatchBenchOptions& options) {
  return [&options, next = uint64_t{0}]() mutable -> std::optional<BatchJob> {
    const std::vector<std::string>& prompts = options.prompts.empty() ? kPrompts : options.prompts;
    if (next == static_cast<uint64_t>(options.pictures)) return {};
    const uint64_t id = next++;
    return BatchJob{id, {.prompt = prompts[id % prompts.size()], .seed = id}};
  };
}

std::vector<std::string> read_prompts(const std::string& text, const std::string& file) {
  std::istringstream in(text);
  std::vector<std::string> prompts;
  for (std::string line; std::getline(in, line);) {
    line = line.substr(0, line.find_first_of("\t\r"));
    if (!line.empty()) prompts.push_back(line);
  }
  if (prompts.empty()) throw Error(ErrorKind::kData, fmt::format("{}: no prompts", quote(file)));
  return prompts;
}

BatchBenchReport measure_batch(const BatchBenchOptions& options,
                               const std::function<void(const std::string&)>& report_progress) {
  Engine engine = Engine::open(options.engine);
  BatchBenchReport report{.device = engine.device(),
                          .model = options.engine.model,
                          .image_tokens = engine.model().image_tokens};
  std::vector<std::vector<Run>> runs(options.lanes.size());
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    for (size_t i = 0; i < options.lanes.size(); ++i) {
      report_progress(fmt::format("{} pictures, {} at once", options.pictures, options.lanes[i]));
      runs[i].push_back(draw_once(engine, options, options.lanes[i]));
      if (repeat == 0 && i == 0) report.hash = runs[0][0].hash;
      if (runs[i].back().hash != report.hash) {
        throw Error(ErrorKind::kFailed, fmt::format("{} lanes draw other pictures than {}",
                                                    options.lanes[i], options.lanes[0]));
      }
    }
  }
  for (const std::vector<Run>& all : runs) {
    std::vector<double> ratios;
    for (size_t repeat = 0; repeat < all.size(); ++repeat) {
      ratios.push_back(all[repeat].rate() / runs[0][repeat].rate());
    }
    std::vector<Run> sorted = all;
    std::sort(sorted.begin(), sorted.end(),
              [](const Run& a, const Run& b) { return a.rate() < b.rate(); });
    const Run& middle = sorted[sorted.size() / 2];
    report.rows.push_back({middle.stats, middle.rate(), middle.cpu, median(ratios)});
  }
  return report;
}

std::string table_of(const BatchBenchReport& report) {
  std::string out = fmt::format("{}\n{}, {} codes a picture, codes {:016x}\n\n", report.device,
                                report.model, report.image_tokens, report.hash);
  out += fmt::format("{:>5} {:>10} {:>7} {:>9} {:>9} {:>7} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7}\n",
                     "lanes", "pictures/s", "x first", "CPU ms", "step ms", "idle %", "prefilled",
                     "shared", "prefill", "steps", "decode", "wait");
  for (const BatchBenchRow& row : report.rows) {
    const BatchStats& s = row.stats;
    const double pictures = static_cast<double>(std::max<int64_t>(1, s.pictures));
    out += fmt::format(
        "{:>5} {:>10.2f} {:>7.2f} {:>9.1f} {:>9.3f} {:>7.2f} {:>9} {:>9} {:>6.1f}% {:>6.1f}% "
        "{:>6.1f}% {:>6.1f}%\n",
        s.lanes, row.pictures_per_second, row.ratio, 1e3 * row.cpu_seconds / pictures,
        1e3 * s.step_seconds / static_cast<double>(std::max<int64_t>(1, s.steps)), idle_percent(s),
        s.prefill_rows, s.shared_rows, percent(s.prefill_seconds, s.wall_seconds),
        percent(s.step_seconds, s.wall_seconds), percent(s.decode_seconds, s.wall_seconds),
        percent(s.source_seconds + s.stall_seconds, s.wall_seconds));
  }
  return out +
         "\nCPU ms: of all threads, a picture. prefill, steps, decode, wait: of the wall time.\n";
}

std::string json_of(const BatchBenchReport& report,
                    const std::optional<DurabilityReport>& durability) {
  nlohmann::ordered_json out{{"schema", 1},
                             {"version", build_info().version},
                             {"device", report.device},
                             {"model", report.model},
                             {"image_tokens", report.image_tokens},
                             {"codes", fmt::format("{:016x}", report.hash)}};
  out["rows"] = nlohmann::ordered_json::array();
  for (const BatchBenchRow& row : report.rows) {
    const BatchStats& s = row.stats;
    out["rows"].push_back({{"lanes", s.lanes},
                           {"pictures", s.pictures},
                           {"pictures_per_second", row.pictures_per_second},
                           {"ratio", row.ratio},
                           {"cpu_seconds", row.cpu_seconds},
                           {"wall_seconds", s.wall_seconds},
                           {"prefill_seconds", s.prefill_seconds},
                           {"step_seconds", s.step_seconds},
                           {"decode_seconds", s.decode_seconds},
                           {"sink_seconds", s.sink_seconds},
                           {"source_seconds", s.source_seconds},
                           {"stall_seconds", s.stall_seconds},
                           {"steps", s.steps},
                           {"lane_steps", s.lane_steps},
                           {"idle_lane_steps", s.idle_lane_steps},
                           {"idle_percent", idle_percent(s)},
                           {"prefill_rows", s.prefill_rows},
                           {"shared_rows", s.shared_rows}});
  }
  if (durability) {
    out["durability"] = {{"lanes", durability->lanes},
                         {"pictures", durability->pictures},
                         {"plain_seconds", durability->plain_seconds},
                         {"durable_seconds", durability->durable_seconds},
                         {"percent", durability->percent}};
  }
  return plain_json(out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
         "\n";
}

}  // namespace bifrons
