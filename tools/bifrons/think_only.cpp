// Thoughts are written several at once, as pictures are, and shown in order.
#include "tools/bifrons/think_only.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "src/batch/picture_job.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/store/manifest_columns.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/thought_printer.h"
#include "tools/bifrons/thought_record.h"

namespace bifrons::cli {
namespace {

constexpr size_t kThoughtsAtOnce = 4;

}  // namespace

WrittenThoughts thoughts_of(Engine& engine, const std::vector<DrawRequest>& requests, int lanes,
                            const ThoughtListener& listener) {
  for (const DrawRequest& request : requests) {
    if (const auto fault = engine.fault_of(request)) throw *fault;
  }
  WrittenThoughts written;
  written.thoughts.resize(requests.size());
  size_t next = 0;
  BatchOptions options;
  options.thoughts_only = true;
  options.lanes = lanes;
  options.progress = [](const BatchProgress&) { return !stop_requested(); };
  options.on_thought = listener;
  written.stats = engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (next == requests.size()) return std::nullopt;
        const size_t id = next++;
        return BatchJob{id, requests[id]};
      },
      [&](BatchResult result) {
        if (result.error) throw *result.error;
        written.thoughts[result.id] = result.drawing->thought;
      },
      options);
  if (written.stats.stopped) throw Error(ErrorKind::kInterrupted, "stopped");
  return written;
}

std::string thought_line(const DrawRequest& request, const std::string& members,
                         const Thought& thought) {
  std::string line = fmt::format("{{\"prompt\":{}{}{}", json_text(request.prompt), members,
                                 number_members(request));
  if (request.negative_prompt) {
    line += ",\"negative_prompt\":" + json_text(*request.negative_prompt);
  }
  return plain_json(fmt::format("{},\"{}\":{},\"{}\":{}}}", line, kThinkMember,
                                json_text(options_of(*request.thinking).style.name), kThoughtMember,
                                json_text(thought.text))) +
         "\n";
}

int write_thoughts(const Generate& generate, Engine& engine,
                   const std::vector<DrawRequest>& requests) {
  ThoughtPrinter printer(generate.output.json);
  const auto [thoughts, stats] = thoughts_of(
      engine, requests, static_cast<int>(std::min<size_t>(requests.size(), kThoughtsAtOnce)),
      [&printer](const ThoughtPiece& piece) { printer.take(piece); });
  printer.finish();
  if (generate.verbosity.verbose) {
    log(generate.verbosity,
        fmt::format("{} tokens of thoughts in {} passes, {:.2f} s with their prompts",
                    stats.thought_tokens, stats.thought_steps, stats.thought_seconds));
  }
  for (size_t i = 0; i < thoughts.size() && generate.think.thought && !generate.output.json; ++i) {
    write_stdout(thoughts[i]->text + "\n");
  }
  if (!generate.output.json) return 0;
  nlohmann::json report = {{"schema", 1}, {"prompt", requests.front().prompt}};
  for (size_t i = 0; i < thoughts.size(); ++i) {
    nlohmann::json record = {{"seed", requests[i].seed}};
    add_thought(record, *requests[i].thinking, *thoughts[i]);
    report["thoughts"].push_back(std::move(record));
  }
  print_json(report);
  return 0;
}

}  // namespace bifrons::cli
