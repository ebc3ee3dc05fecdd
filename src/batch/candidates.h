// Best of N in a batch: every picture is drawn several times, side by side with others, and the
// model keeps the drawing that it finds to match best.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "src/batch/batch_run.h"
#include "src/engine/best_of.h"
#include "src/understand.h"

namespace bifrons {

struct CandidateOptions {
  int64_t count = 1;     // of each picture
  std::string question;  // asked of each, as question_about() takes it
  // Understanding::judge() of the engine that draws. What it throws of kind kUsage or kData is the
  // fault of this candidate.
  std::function<Judgement(const Picture&, std::string_view question)> judge;
  std::function<bool()> stop{};  // true: give out and judge no more
};

// Stands between a run and one engine. An engine's Understanding shares its backend, so judging
// happens where the engine draws: on its thread, between two steps, when it asks for the next job.
// Only the best drawing of a picture is kept; the rest is judged at the next question for a job, so
// that never more wait than the engine draws at once and its output thread holds.
//
// What is kept depends on the job alone: not on lanes, nor on the order in which drawings come.
class Candidates {
 public:
  // The run must outlive it.
  Candidates(BatchRun& run, CandidateOptions options);
  Candidates(const Candidates&) = delete;
  Candidates& operator=(const Candidates&) = delete;

  // A source for Engine::draw_batch(): judges what was delivered, then gives candidate after
  // candidate of picture after picture, with seeds from the request's on. Throws what judging and
  // BatchRun::deliver() throw.
  std::optional<BatchJob> take();
  // Whether take() would not wait for more of the prompt file. Judges what was delivered, as it
  // does.
  bool ready();
  // A sink for it. Never waits. A candidate with an error is left out of the choice; a picture
  // fails with its first candidate's error when all of them have one.
  void deliver(BatchResult result);
  // Judges what is left, after draw_batch() has returned and on the same thread.
  void finish();

 private:
  // A picture whose candidates are not all judged yet.
  struct Group {
    BatchJob job;
    Choosing choosing;
    int64_t missing;               // candidates not judged yet
    std::optional<Error> error{};  // of the failed candidate with the lowest index
    uint64_t failed_index = 0;
  };
  bool stopped() const { return options_.stop && options_.stop(); }
  void judge_delivered();
  void judge(BatchResult result);
  void conclude(Group& group);

  BatchRun& run_;
  const CandidateOptions options_;
  // The engine's thread alone. Candidate i of group g has id g * count + i.
  std::map<uint64_t, Group> groups_;
  uint64_t next_id_ = 0;

  std::mutex mutex_;  // of what follows
  std::deque<BatchResult> delivered_;
};

}  // namespace bifrons
