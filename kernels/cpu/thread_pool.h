// Threads that share a loop: chunks are taken one by one, so a slow core never holds the others up.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bifrons::cpu {

// The calling thread works too. Which thread takes which chunk is not fixed, so a chunk's result
// must not depend on it. Not reentrant.
class ThreadPool {
 public:
  // With fewer threads where the system does not give as many.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(chunk) once for every chunk in [0, chunks) and returns when all are done. The first
  // exception thrown by a body is rethrown here; chunks that were not begun by then are left out.
  void run(int64_t chunks, const std::function<void(int64_t chunk)>& body);

 private:
  void work();
  void take_chunks();
  void leave();
  bool join();
  uint32_t await_news(uint32_t seen);

  // Low 15 bits: workers inside the job; then one bit: the job is open; above: number of the job.
  // A worker that sleeps through a job never has to be waited for: only those inside it count.
  std::atomic<uint32_t> state_{0};
  std::atomic<bool> stop_{false};

  // The job. Written before it is opened, and not before everybody has left the previous one.
  const std::function<void(int64_t)>* body_ = nullptr;
  int64_t chunks_ = 0;
  alignas(64) std::atomic<int64_t> next_{0};

  std::mutex mutex_;  // guards failure_
  std::exception_ptr failure_;
  std::vector<std::thread> workers_;
};

// Cores this process may use, at least 1.
int available_cores();

}  // namespace bifrons::cpu
