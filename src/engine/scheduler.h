// The scheduler (continuous batching): fills free lanes from a job source, runs decode steps, and
// passes finished pictures to a sink.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "src/bifrons.h"
#include "src/engine/lanes.h"
#include "src/engine/output_thread.h"

namespace bifrons {

// A picture whose numbers stop being finite is drawn once more, in case the fault is in the machine
// and not in the weights.
inline constexpr int kAttempts = 2;

// The parts that the scheduler uses; everything is borrowed.
struct SchedulerParts {
  Lanes& lanes;
  // Decodes codes to pixels. Called between steps, for one picture, or beside them on the output
  // thread. The error of a decoded picture is its result; what is thrown stops the batch.
  OutputThread::Decode decode;
  bool decode_beside = false;
  std::function<int64_t()> decode_together{};  // most pictures that wait and are decoded at once
  std::function<bool()> source_ready{};        // as in BatchOptions
  ThoughtListener on_thought{};                // as in BatchOptions
  bool thoughts_only = false;                  // as in BatchOptions
  const Config* config = nullptr;              // needed by jobs that think
  // Called before a thought is written: when it returns, the lanes have their text head.
  std::function<void()> before_thoughts{};
};

// Converts a job without thinking to a lane's prompt. Throws Error when this job cannot be drawn.
using Prepare = std::function<GuidedPrompt(const DrawRequest&)>;

// Implements Engine::draw_batch(). The lanes must be reserved; they are idle afterwards.
BatchStats schedule_batch(const SchedulerParts& parts, const Prepare& prepare,
                          const JobSource& source, const ResultSink& sink,
                          const std::function<bool(const BatchProgress&)>& progress);

}  // namespace bifrons
