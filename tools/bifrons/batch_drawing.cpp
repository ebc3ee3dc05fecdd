// Lanes have one number of rows. So the first picture that needs more of them waits until those
// before it are drawn, and the lanes are reserved anew.
#include "tools/bifrons/batch_drawing.h"

#include <optional>
#include <utility>

#include "src/batch/candidates.h"
#include "tools/bifrons/batch_edits.h"
#include "tools/bifrons/signals.h"

namespace bifrons::cli {
namespace {

CandidateOptions candidate_options(const BatchEngine& with) {
  CandidateOptions asked{.count = with.candidates, .question = with.question};
  asked.judge = [judge = with.judge](const Picture& picture, std::string_view question) {
    return judge->judge(picture, question);
  };
  asked.stop = stop_requested;
  asked.complete = with.complete;
  return asked;
}

}  // namespace

void draw_with(const BatchEngine& with, BatchRun& run, BatchOptions options) {
  std::optional<Candidates> candidates;
  if (with.judge != nullptr) candidates.emplace(run, candidate_options(with));
  PlannedPictures planned = with.engine.planned();
  std::optional<BatchJob> held;
  const JobSource source = [&]() -> std::optional<BatchJob> {
    if (held) return std::exchange(held, std::nullopt);
    std::optional<BatchJob> job = candidates ? candidates->take() : run.take(with.complete);
    if (with.engine.planned() == planned) return job;
    held = std::move(job);  // its completion has planned for other pictures than the lanes have
    return std::nullopt;
  };
  const ResultSink sink = [&](BatchResult result) {
    candidates ? candidates->deliver(std::move(result)) : run.deliver(std::move(result));
  };
  int64_t tokens_before = 0, tokens = 0;  // of the lanes that were reserved before, and of these
  options.progress = [&, report = options.progress](BatchProgress progress) {
    tokens = progress.tokens;
    progress.tokens += tokens_before;
    return report(progress);
  };
  options.source_ready = [&] { return held || (candidates ? candidates->ready() : run.ready()); };
  bool stopped = false;
  do {
    planned = with.engine.planned();
    options.rows = rows_of(planned);
    stopped = with.engine.draw_batch(source, sink, options).stopped;
    tokens_before += std::exchange(tokens, 0);
  } while (held && !stopped);
  if (candidates) candidates->finish();
}

}  // namespace bifrons::cli
