// The scheduler of the continuous batch: free lanes are filled before every step, so no lane waits
// for another.
#include "src/engine/scheduler.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace bifrons {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Adds the time of a scope to a counter.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() { seconds_ += since(start_); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  Clock::time_point start_ = Clock::now();
};

class Scheduler {
 public:
  Scheduler(const SchedulerParts& parts, const Prepare& prepare, const JobSource& source,
            const ResultSink& sink, const std::function<bool(const BatchProgress&)>& progress)
      : parts_(parts),
        prepare_(prepare),
        source_(source),
        report_(progress),
        output_(sink, parts.decode_beside ? parts.decode : OutputThread::Decode{},
                parts.lanes.count()),
        before_(parts.lanes.work()) {
    stats_.lanes = progress_.lanes = parts.lanes.count();
  }

  BatchStats run() {
    const Clock::time_point start = Clock::now();
    while (going_on_) {
      fill_lanes();
      if (!going_on_ || parts_.lanes.busy() == 0) break;
      {
        const Stopwatch watch(stats_.step_seconds);
        parts_.lanes.step();
      }
      if (report()) take_finished();
    }
    finish();
    stats_.wall_seconds = since(start);
    return stats_;
  }

 private:
  // Reports progress; the caller decides whether to go on.
  bool report() {
    const LaneWork& work = parts_.lanes.work();
    progress_.lanes_busy = parts_.lanes.busy();
    progress_.tokens =
        work.step_codes + work.first_codes - before_.step_codes - before_.first_codes;
    if (going_on_ && report_ && !report_(progress_)) {
      going_on_ = false;
      stats_.stopped = true;
    }
    return going_on_;
  }

  // Admits pictures until every lane is busy, or there are no jobs, or there is no memory for more.
  // A picture may be finished by its first code; then its lane is free again.
  void fill_lanes() {
    while (going_on_ && !short_of_memory_) {
      std::vector<LanePicture> entering = std::exchange(again_, {});
      const auto free = static_cast<size_t>(parts_.lanes.count() - parts_.lanes.busy());
      while (going_on_ && !dry_ && entering.size() < free && source_answers(entering)) {
        take_job(entering);
      }
      if (!going_on_ || entering.empty()) return;
      {
        const Stopwatch watch(stats_.prefill_seconds);
        again_ = parts_.lanes.admit(std::move(entering));
      }
      short_of_memory_ = !again_.empty();
      if (!report()) return;
      take_finished();
    }
  }

  // Whether to ask the source for a job. If no job is ready, the scheduler waits for one only if it
  // has nothing else to do.
  bool source_answers(const std::vector<LanePicture>& entering) const {
    const bool idle = entering.empty() && parts_.lanes.busy() == 0;
    return idle || !parts_.source_ready || parts_.source_ready();
  }

  void take_job(std::vector<LanePicture>& entering) {
    std::optional<BatchJob> job;
    {
      const Stopwatch watch(stats_.source_seconds);
      job = source_();
    }
    if (!job) {
      dry_ = true;
      return;
    }
    try {
      LanePicture picture{.id = job->id, .prompt = prepare_(job->request), .start = Clock::now()};
      parts_.lanes.make_room(static_cast<int64_t>(picture.prompt.prompted.size()));
      entering.push_back(std::move(picture));
    } catch (const Error& error) {
      ++stats_.failures;
      hand_over({.id = job->id, .error = error, .attempts = 0});
    }
  }

  void take_finished() {
    const double share = static_cast<double>(std::max<int64_t>(1, parts_.lanes.busy()));
    for (LanePicture& picture : parts_.lanes.take_finished()) {
      if (!going_on_) return;
      short_of_memory_ = false;
      if (picture.finite) {
        deliver(std::move(picture), share);
      } else if (picture.attempts < kAttempts) {
        ++stats_.retries;
        picture.finite = true;
        picture.codes.clear();
        picture.passes = 0;
        again_.push_back(std::move(picture));
      } else {
        ++stats_.failures;
        hand_over(
            {.id = picture.id,
             .error = Error(ErrorKind::kData,
                            fmt::format("the model's numbers stop being finite at image token "
                                        "{}: its weights are damaged",
                                        picture.codes.size())),
             .attempts = picture.attempts});
      }
    }
  }

  void deliver(LanePicture picture, double share) {
    BatchResult result{.id = picture.id, .drawing = Drawing{}, .attempts = picture.attempts};
    Drawing& drawing = *result.drawing;
    drawing.tokens = std::move(picture.codes);
    drawing.passes = picture.passes;
    drawing.seconds = since(picture.start) / share;
    if (!parts_.decode_beside) {
      double took = 0;
      try {
        const Stopwatch watch(took);
        drawing.picture = parts_.decode(drawing.tokens);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kData) throw;
        result.error = error;
      }
      drawing.seconds += took;
      stats_.decode_seconds += took;
    }
    if (result.error) {
      result.drawing.reset();
      ++stats_.failures;
    } else {
      ++stats_.pictures;
    }
    hand_over(std::move(result));
    report();  // decoding may take as long as many decode steps
  }

  void hand_over(BatchResult result) {
    const Stopwatch watch(stats_.stall_seconds);
    ++progress_.pictures;
    if (!output_.push(std::move(result))) going_on_ = false;
  }

  void finish() {
    {
      const Stopwatch watch(stats_.stall_seconds);
      output_.finish();
    }
    const LaneWork& work = parts_.lanes.work();
    stats_.steps = work.steps - before_.steps;
    stats_.lane_steps = stats_.steps * stats_.lanes;
    stats_.idle_lane_steps = stats_.lane_steps - (work.busy_lane_steps - before_.busy_lane_steps);
    stats_.step_codes = work.step_codes - before_.step_codes;
    stats_.columns = work.columns - before_.columns;
    stats_.prefill_rows = work.prefill_rows - before_.prefill_rows;
    stats_.shared_rows = work.shared_rows - before_.shared_rows;
    stats_.sink_seconds = output_.sink_seconds();
    stats_.decode_seconds += output_.decode_seconds();
    stats_.pictures -= output_.failures();  // they were counted when they were handed over
    stats_.failures += output_.failures();
  }

  const SchedulerParts& parts_;
  const Prepare& prepare_;
  const JobSource& source_;
  const std::function<bool(const BatchProgress&)>& report_;
  OutputThread output_;
  const LaneWork before_;
  BatchStats stats_;
  BatchProgress progress_;
  std::vector<LanePicture> again_;  // pictures to draw once more, or that found no memory
  bool short_of_memory_ = false;    // true until a lane is done
  bool dry_ = false;
  bool going_on_ = true;
};

}  // namespace

BatchStats schedule_batch(const SchedulerParts& parts, const Prepare& prepare,
                          const JobSource& source, const ResultSink& sink,
                          const std::function<bool(const BatchProgress&)>& progress) {
  struct Clear {
    Lanes& lanes;
    ~Clear() { lanes.clear(); }
  } clear{parts.lanes};
  return Scheduler(parts, prepare, source, sink, progress).run();
}

}  // namespace bifrons
