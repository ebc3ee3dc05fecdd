// A bounded queue. Its lock is never held while a task runs.
#include "src/batch/writer_threads.h"

#include "kernels/threads.h"

namespace bifrons {

WriterThreads::WriterThreads(int threads) {
  for (int i = 0; i < threads && start_thread(threads_, [this] { work(); }); ++i) {
  }
}

WriterThreads::~WriterThreads() { close(); }

void WriterThreads::add(std::function<void()> task) {
  if (threads_.empty()) return do_now(task);
  std::unique_lock lock(mutex_);
  const size_t room = 2 * threads_.size();
  changed_.wait(lock, [&] { return waiting_.size() < room || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  waiting_.push_back(std::move(task));
  lock.unlock();
  changed_.notify_all();
}

// Runs one task at a time, because several threads may call add().
void WriterThreads::do_now(const std::function<void()>& task) {
  const std::lock_guard lock(alone_);
  if (broken()) finish();
  try {
    task();
  } catch (...) {
    const std::lock_guard failing(mutex_);
    failure_ = std::current_exception();
    throw;
  }
}

void WriterThreads::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !waiting_.empty() || closed_; });
    if (waiting_.empty()) return;
    const std::function<void()> task = std::move(waiting_.front());
    waiting_.pop_front();
    if (failure_) continue;
    lock.unlock();
    changed_.notify_all();
    std::exception_ptr failure;
    try {
      task();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    changed_.notify_all();
  }
}

void WriterThreads::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WriterThreads::finish() {
  close();
  if (failure_) std::rethrow_exception(failure_);
}

bool WriterThreads::broken() const {
  const std::lock_guard lock(mutex_);
  return failure_ != nullptr;
}

}  // namespace bifrons
