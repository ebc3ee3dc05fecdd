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

// Tasks start in the order of add() and end in any order. After one has thrown, the waiting ones
// are dropped.
class WriterThreads {
 public:
  // If the system gives fewer threads, fewer are used; with none, add() runs the task itself.
  explicit WriterThreads(int threads);
  WriterThreads(const WriterThreads&) = delete;
  WriterThreads& operator=(const WriterThreads&) = delete;
  ~WriterThreads();  // after the waiting tasks

  // Waits while two tasks for each thread are waiting. Any thread. Throws what a task threw.
  void add(std::function<void()> task);
  // Waits until everything is done; called once, last. Throws what a task threw.
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
