// Groups of candidates. Only the queue of delivered ones is shared between threads.
#include "src/batch/candidates.h"

#include <chrono>
#include <utility>

namespace bifrons {
namespace {

// Whether an error concerns one picture or its question, and not the machine.
bool is_its_own_fault(const Error& error) {
  return error.kind() == ErrorKind::kUsage || error.kind() == ErrorKind::kData;
}

}  // namespace

Candidates::Candidates(BatchRun& run, CandidateOptions options)
    : run_(run), options_(std::move(options)) {
  check(options_.count >= 1, "candidates: one or more of each picture");
}

std::optional<BatchJob> Candidates::take() {
  judge_delivered();
  if (stopped()) return std::nullopt;
  const auto count = static_cast<uint64_t>(options_.count);
  const uint64_t number = next_id_ / count, index = next_id_ % count;
  if (index == 0) {
    std::optional<BatchJob> job = run_.take(options_.complete);
    if (!job) return std::nullopt;
    Choosing choosing(question_about(options_.question, job->request.prompt), count);
    groups_.emplace(number, Group{std::move(*job), std::move(choosing), options_.count});
  }
  // A group exists as long as some of its candidates have not been given out.
  BatchJob candidate{next_id_++, groups_.at(number).job.request};
  candidate.request.seed += index;
  return candidate;
}

bool Candidates::ready() {
  judge_delivered();
  return next_id_ % static_cast<uint64_t>(options_.count) != 0 || run_.ready();
}

void Candidates::deliver(BatchResult result) {
  const std::lock_guard lock(mutex_);
  delivered_.push_back(std::move(result));
}

void Candidates::finish() { judge_delivered(); }

void Candidates::judge_delivered() {
  while (!stopped()) {
    BatchResult result;
    {
      const std::lock_guard lock(mutex_);
      if (delivered_.empty()) return;
      result = std::move(delivered_.front());
      delivered_.pop_front();
    }
    judge(std::move(result));
  }
}

void Candidates::judge(BatchResult result) {
  const auto count = static_cast<uint64_t>(options_.count);
  const auto found = groups_.find(result.id / count);
  check(found != groups_.end(), "candidates: a result nobody asked for");
  Group& group = found->second;
  const uint64_t index = result.id % count;
  if (!result.error) {
    try {
      const auto start = std::chrono::steady_clock::now();
      const Judgement judgement =
          options_.judge(result.drawing->picture, group.choosing.question());
      result.drawing->seconds +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      group.choosing.add(index, group.job.request.seed + index, judgement,
                         std::move(*result.drawing));
    } catch (const Error& error) {
      if (!is_its_own_fault(error)) throw;
      result.error = error;
    }
  }
  if (result.error && (!group.error || index < group.failed_index)) {
    group.error = std::move(result.error);
    group.failed_index = index;
  }
  if (--group.missing > 0) return;
  conclude(group);
  groups_.erase(found);
}

void Candidates::conclude(Group& group) {
  if (std::optional<ChosenDrawing> chosen = group.choosing.finish()) {
    run_.deliver(group.job.id, std::move(*chosen));
  } else {
    run_.deliver({.id = group.job.id, .error = std::move(group.error)});
  }
}

}  // namespace bifrons
