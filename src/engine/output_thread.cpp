// Output thread: a bounded queue and one thread.
#include "src/engine/output_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kernels/threads.h"

namespace bifrons {
namespace {

template <typename Run>
double seconds_of(const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

OutputThread::OutputThread(const ResultSink& sink, Decode decode, int64_t room,
                           std::function<int64_t()> together)
    : sink_(sink),
      decode_(std::move(decode)),
      room_(static_cast<size_t>(std::max<int64_t>(1, room))),
      together_(std::move(together)) {
  start_thread(thread_, [this] { work(); });
}

OutputThread::~OutputThread() { join(); }

bool OutputThread::push(BatchResult result) {
  if (thread_.empty()) {
    std::vector<BatchResult> one;
    one.push_back(std::move(result));
    return !failure_ && take(std::move(one));
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < room_ || failure_; });
  if (failure_) return false;
  waiting_.push_back(std::move(result));
  changed_.notify_all();
  return true;
}

void OutputThread::join() {
  if (thread_.empty() || !thread_[0].joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    last_pushed_ = true;
  }
  changed_.notify_all();
  thread_[0].join();
}

void OutputThread::finish() {
  join();
  if (failure_) std::rethrow_exception(failure_);
}

void OutputThread::decode(std::span<BatchResult> results) {
  std::vector<BatchResult*> drawn;
  std::vector<std::span<const int32_t>> codes;
  for (BatchResult& result : results) {
    if (!result.drawing) continue;
    drawn.push_back(&result);
    codes.emplace_back(result.drawing->tokens);
  }
  if (drawn.empty()) return;
  std::vector<DecodedPicture> decoded;
  const double took = seconds_of([&] { decoded = decode_(codes); });
  decode_seconds_ += took;
  for (size_t i = 0; i < drawn.size(); ++i) {
    BatchResult& result = *drawn[i];
    result.drawing->picture = std::move(decoded[i].picture);
    result.drawing->seconds += took / static_cast<double>(drawn.size());
    if (!decoded[i].error) continue;
    result.error = std::move(decoded[i].error);
    result.drawing.reset();
    ++failures_;
  }
}

// False when sink or decode threw.
bool OutputThread::take(std::vector<BatchResult> results) {
  try {
    if (decode_) decode(results);
    for (BatchResult& result : results) {
      sink_seconds_ += seconds_of([&] { sink_(std::move(result)); });
    }
    return true;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    waiting_.clear();
    changed_.notify_all();
    return false;
  }
}

void OutputThread::work() {
  while (true) {
    std::vector<BatchResult> results;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || last_pushed_; });
      if (waiting_.empty()) return;
      const auto most = static_cast<size_t>(together_ ? std::max<int64_t>(1, together_()) : 1);
      while (!waiting_.empty() && results.size() < most) {
        results.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
    }
    changed_.notify_all();
    if (!take(std::move(results))) return;
  }
}

}  // namespace bifrons
