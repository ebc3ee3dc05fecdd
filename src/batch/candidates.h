// Best of N in a batch: every picture is drawn N times, and the drawing with the best score from
// the model is kept.
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
  // Understanding::judge() of the engine that draws. An error of kind kUsage or kData concerns this
  // candidate only.
  std::function<Judgement(const Picture&, std::string_view question)> judge;
  std::function<bool()> stop{};  // true: give out and score no more candidates
  BatchRun::Complete complete{};
};

// The link between a run and one engine. An engine's Understanding shares its backend, so
// candidates are scored on the engine's thread, between two steps, when the engine asks for the
// next job. So at most lanes + output queue images are held. Of each picture only the best drawing
// is kept.
//
// The choice depends on the job alone. It does not depend on lanes or the order of drawings.
class Candidates {
 public:
  // The run must outlive it.
  Candidates(BatchRun& run, CandidateOptions options);
  Candidates(const Candidates&) = delete;
  Candidates& operator=(const Candidates&) = delete;

  // Source of Engine::draw_batch(): scores the delivered candidates, then returns the next one.
  // Candidate i of a picture has the request's seed + i. Throws what scoring and
  // BatchRun::deliver() throw.
  std::optional<BatchJob> take();
  // Whether take() returns without waiting for the prompt file. Also scores delivered candidates.
  bool ready();
  // Sink of Engine::draw_batch(). Never blocks. A candidate with an error is left out. If all
  // candidates have errors, the picture fails with the error of its first candidate.
  void deliver(BatchResult result);
  // Scores the remaining candidates, after draw_batch() has returned and on the same thread.
  void finish();

 private:
  // A picture with candidates that have no score yet.
  struct Group {
    BatchJob job;
    Choosing choosing;
    int64_t missing;               // candidates without a score
    std::optional<Error> error{};  // of the failed candidate with the lowest index
    uint64_t failed_index = 0;
  };
  bool stopped() const { return options_.stop && options_.stop(); }
  void judge_delivered();
  void judge(BatchResult result);
  void conclude(Group& group);

  BatchRun& run_;
  const CandidateOptions options_;
  // Used by the engine's thread only. Candidate i of group g has id g * count + i.
  std::map<uint64_t, Group> groups_;
  uint64_t next_id_ = 0;

  std::mutex mutex_;  // guards delivered_
  std::deque<BatchResult> delivered_;
};

}  // namespace bifrons
