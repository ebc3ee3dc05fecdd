// Threads that write pictures beside drawing.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bifrons {

// Tasks begin in the order they came and end in any. Once one of them has thrown, those that wait
// are dropped: nothing more can be kept.
class WriterThreads {
 public:
  // With fewer threads where the system does not give as many; without any, add() does the task.
  explicit WriterThreads(int threads);
  WriterThreads(const WriterThreads&) = delete;
  WriterThreads& operator=(const WriterThreads&) = delete;
  ~WriterThreads();  // after what waits has been done

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

  mutable std::mutex mutex_;  // of all below but the threads
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool closed_ = false;
  std::exception_ptr failure_;
  std::mutex alone_;  // of the tasks, where there is no thread
  std::vector<std::thread> threads_;
};

}  // namespace bifrons
