// Threads that share a loop: chunks are taken one by one, so a slow core never holds the others up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bifrons::cpu {

// The calling thread works too. Which thread takes which chunk is not fixed, so a chunk's result
// must not depend on it. Not reentrant.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(chunk) once for every chunk in [0, chunks) and returns when all are done. The first
  // exception thrown by a body is rethrown here.
  void run(int64_t chunks, const std::function<void(int64_t chunk)>& body);

 private:
  std::vector<std::thread> workers_;
};

}  // namespace bifrons::cpu
