// Thread pool for parallel loops: threads take chunks one by one, so a slow core does not delay the
// others.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bifrons::cpu {

// The calling thread works too. Any thread may take any chunk, so a chunk's result must not depend
// on the thread. Not reentrant.
class ThreadPool {
 public:
  // With fewer threads where the system does not give as many.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(chunk) once for every chunk in [0, chunks) and returns when all are done. The first
  // exception that a body throws is rethrown here; chunks that had not begun by then are skipped.
  void run(int64_t chunks, const std::function<void(int64_t chunk)>& body);

 private:
  void work();
  void take_chunks();
  void leave();
  bool join();
  uint32_t await_news(uint32_t seen);

  // Low 15 bits: number of workers inside the job; next bit: the job is open; above: number of the
  // job. The caller waits only for workers inside the job, so a worker that sleeps through a job
  // delays nothing.
  std::atomic<uint32_t> state_{0};
  std::atomic<bool> stop_{false};

  // The job. It is written before it is opened, and only after all workers have left the previous
  // one.
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
