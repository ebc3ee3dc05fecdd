// The drawing loop: lanes are fed from a source, their pictures go to a sink.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "src/bifrons.h"
#include "src/engine/lanes.h"
#include "src/engine/output_thread.h"

namespace bifrons {

// Numbers that stop being finite are tried once more, in case the machine and not the weights is at
// fault.
inline constexpr int kAttempts = 2;

// What the loop is made of; everything is borrowed.
struct SchedulerParts {
  Lanes& lanes;
  // Gives the pixels of codes. Called between steps, or beside them on the output thread. An
  // Error (data) it throws is the result of that picture; anything else stops the batch.
  OutputThread::Decode decode;
  bool decode_beside = false;
  std::function<bool()> source_ready{};  // as in BatchOptions
};

// Turns a job into what lanes draw. Throws Error when this job cannot be drawn.
using Prepare = std::function<GuidedPrompt(const DrawRequest&)>;

// Engine::draw_batch() with its parts in hand. The lanes are reserved; they are idle afterwards.
BatchStats schedule_batch(const SchedulerParts& parts, const Prepare& prepare,
                          const JobSource& source, const ResultSink& sink,
                          const std::function<bool(const BatchProgress&)>& progress);

}  // namespace bifrons
