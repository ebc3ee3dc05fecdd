// The scheduler of the continuous batch: free lanes are filled before every step, so no lane waits
// for another.
#include "src/engine/scheduler.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <utility>

#include "src/engine/reply_text.h"
#include "src/engine/thinking.h"

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
                parts.lanes.count(), parts.decode_together),
        before_(parts.lanes.work()) {
    stats_.lanes = progress_.lanes = parts.lanes.count();
  }

  BatchStats run() {
    const Clock::time_point start = Clock::now();
    while (going_on_) {
      fill_lanes();
      if (!going_on_ || (parts_.lanes.busy() == 0 && parts_.lanes.thinking() == 0)) break;
      think();
      if (!going_on_) break;
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
    progress_.thinking = parts_.lanes.thinking();
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
      const auto free = static_cast<size_t>(parts_.lanes.idle());
      while (going_on_ && !dry_ && entering.size() + tasks_.size() < free &&
             source_answers(entering)) {
        take_job(entering);
      }
      if (!going_on_ || (entering.empty() && tasks_.empty())) return;
      {
        const Stopwatch watch(stats_.prefill_seconds);
        again_ = parts_.lanes.admit(std::move(entering));
      }
      {
        const Stopwatch watch(stats_.thought_seconds);
        tasks_ = parts_.lanes.begin_thoughts(std::move(tasks_));
      }
      short_of_memory_ = !again_.empty() || !tasks_.empty();
      if (!report()) return;
      take_finished();
    }
  }

  // Whether to ask the source for a job. If no job is ready, the scheduler waits for one only if it
  // has nothing else to do.
  bool source_answers(const std::vector<LanePicture>& entering) const {
    const bool idle = entering.empty() && tasks_.empty() && parts_.lanes.busy() == 0 &&
                      parts_.lanes.thinking() == 0;
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
      if (job->request.thinking != nullptr) return take_thinking_job(*job, entering);
      enter({.id = job->id, .prompt = prepare_(job->request), .start = Clock::now()}, entering);
    } catch (const Error& error) {
      refuse(job->id, error);
    }
  }

  void enter(LanePicture picture, std::vector<LanePicture>& entering) {
    parts_.lanes.make_room(static_cast<int64_t>(picture.prompt.prompted.size()));
    entering.push_back(std::move(picture));
  }

  void refuse(uint64_t id, const Error& error) {
    ++stats_.failures;
    hand_over({.id = id, .error = error, .attempts = 0});
  }

  // A job whose thought is given is drawn at once; otherwise its thought is written first.
  void take_thinking_job(const BatchJob& job, std::vector<LanePicture>& entering) {
    const Thinking& thinking = *job.request.thinking;
    const Clock::time_point start = Clock::now();
    if (thinking.options.thought) {
      return enter_after(job.id, job.request, given_thought(thinking, job.request.allow_special),
                         start, entering);
    }
    ThoughtPrompt prompt = thought_prompt(thinking, *parts_.config, job.request);
    if (prompt.most == 0) {
      return enter_after(job.id, job.request, thought_of(thinking, {}, ThoughtEnd::kLength), start,
                         entering);
    }
    parts_.before_thoughts();
    parts_.lanes.make_room(static_cast<int64_t>(prompt.ids.size()) + prompt.most);
    tasks_.push_back({.id = job.id,
                      .request = job.request,
                      .prompt = std::move(prompt.ids),
                      .most = prompt.most,
                      .start = start});
  }

  void enter_after(uint64_t id, const DrawRequest& request, Thought thought,
                   Clock::time_point start, std::vector<LanePicture>& entering) {
    auto shared = std::make_shared<const Thought>(std::move(thought));
    if (parts_.thoughts_only) {
      BatchResult result{.id = id, .drawing = Drawing{}};
      result.drawing->seconds = since(start);
      result.drawing->thought = std::move(shared);
      ++stats_.pictures;
      return hand_over(std::move(result));
    }
    enter({.id = id,
           .prompt = prompt_after(*request.thinking, *parts_.config, request, *shared),
           .start = start,
           .thought = shared},
          entering);
  }

  // One step of the thoughts; those that are done give their pictures.
  void think() {
    if (parts_.lanes.thinking() == 0) return;
    tell_thoughts();
    std::vector<ThoughtTask> done = parts_.lanes.take_thoughts();
    for (ThoughtTask& task : done) {
      short_of_memory_ = false;
      const uint64_t id = task.id;
      try {
        conclude(std::move(task));
      } catch (const Error& error) {
        refuse(id, error);
      }
    }
    if (!report()) return;
    const Stopwatch watch(stats_.thought_seconds);
    parts_.lanes.think();
  }

  void conclude(ThoughtTask task) {
    texts_.erase(task.id);
    if (!task.finite) {
      throw Error(ErrorKind::kData,
                  fmt::format("the model's numbers stop being finite at token {} of the thought: "
                              "its weights are damaged",
                              task.tokens.size()));
    }
    const ThoughtEnd end = task.stopped ? ThoughtEnd::kDone : ThoughtEnd::kLength;
    enter_after(task.id, task.request,
                thought_of(*task.request.thinking, std::move(task.tokens), end), task.start,
                again_);
  }

  // Gives the listener what is new of each thought.
  void tell_thoughts() {
    if (!parts_.on_thought) return;
    for (const ThoughtTask& task : parts_.lanes.thoughts()) {
      const Tokenizer& tokenizer = *task.request.thinking->tokenizer;
      auto [heard, is_new] = texts_.try_emplace(task.id, tokenizer, std::vector<std::string>{});
      Heard& known = heard->second;
      std::string piece;
      for (; known.tokens < task.tokens.size(); ++known.tokens) {
        piece += known.text.add(task.tokens[known.tokens]);
      }
      if (task.done) piece += known.text.finish();
      if (!piece.empty() || task.done) parts_.on_thought({task.id, piece, task.done});
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
    drawing.thought = std::move(picture.thought);
    drawing.seconds = since(picture.start) / share;
    if (!parts_.decode_beside) {
      double took = 0;
      {
        const Stopwatch watch(took);
        const std::span<const int32_t> codes(drawing.tokens);
        DecodedPicture decoded = std::move(parts_.decode({&codes, 1})[0]);
        drawing.picture = std::move(decoded.picture);
        result.error = std::move(decoded.error);
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
    stats_.thought_steps = work.thought_steps - before_.thought_steps;
    stats_.thought_tokens = work.thought_tokens - before_.thought_tokens;
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
  // The text of a thought that the listener has.
  struct Heard {
    Heard(const Tokenizer& tokenizer, std::vector<std::string> stop)
        : text(tokenizer, std::move(stop)) {}
    ReplyText text;
    size_t tokens = 0;
  };
  std::map<uint64_t, Heard> texts_;  // by id of the job

  std::vector<LanePicture> again_;  // to draw once more, after their thoughts, or without memory
  std::vector<ThoughtTask> tasks_;  // thoughts to begin
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
