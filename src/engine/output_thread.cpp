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

OutputThread::OutputThread(const ResultSink& sink, Decode decode, int64_t room)
    : sink_(sink),
      decode_(std::move(decode)),
      room_(static_cast<size_t>(std::max<int64_t>(1, room))) {
  start_thread(thread_, [this] { work(); });
}

OutputThread::~OutputThread() { join(); }

bool OutputThread::push(BatchResult result) {
  if (thread_.empty()) return !failure_ && take(std::move(result));
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

void OutputThread::decode(BatchResult& result) {
  const double took = seconds_of([&] {
    try {
      result.drawing->picture = decode_(result.drawing->tokens);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) throw;
      result.error = error;
    }
  });
  decode_seconds_ += took;
  result.drawing->seconds += took;
  if (!result.error) return;
  result.drawing.reset();
  ++failures_;
}

// False when sink or decode threw.
bool OutputThread::take(BatchResult result) {
  try {
    if (decode_ && result.drawing) decode(result);
    sink_seconds_ += seconds_of([&] { sink_(std::move(result)); });
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
    BatchResult result;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || last_pushed_; });
      if (waiting_.empty()) return;
      result = std::move(waiting_.front());
      waiting_.pop_front();
    }
    changed_.notify_all();
    if (!take(std::move(result))) return;
  }
}

}  // namespace bifrons
