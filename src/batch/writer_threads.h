// Threads that write pictures while the engine draws.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bifrons {

// Tasks start in the order of add() and end in any order. After one has thrown, waiting tasks are
// dropped.
class WriterThreads {
 public:
  // If the system gives fewer threads, fewer are used. Without any, add() runs the task itself.
  explicit WriterThreads(int threads);
  WriterThreads(const WriterThreads&) = delete;
  WriterThreads& operator=(const WriterThreads&) = delete;
  ~WriterThreads();  // runs the waiting tasks first

  // Waits while two tasks for each thread are waiting. Thread-safe. Throws the error of a task.
  void add(std::function<void()> task);
  // Waits until all tasks are done. Called once, as the last call. Throws the error of a task.
  void finish();
  // Whether a task has thrown.
  bool broken() const;

 private:
  void do_now(const std::function<void()>& task);
  void work();
  void close();

  mutable std::mutex mutex_;  // guards all members below except the threads
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool closed_ = false;
  std::exception_ptr failure_;
  std::mutex alone_;  // guards tasks when there is no thread
  std::vector<std::thread> threads_;
};

}  // namespace bifrons
