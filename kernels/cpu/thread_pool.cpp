// Thread pool whose caller waits only for the workers that joined its job.
#include "kernels/cpu/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>

#include "kernels/cpu/isa.h"
#include "kernels/error.h"
#include "kernels/threads.h"

namespace bifrons::cpu {
namespace {

constexpr uint32_t kInside = 0x7fff;
constexpr uint32_t kOpen = 0x8000;
constexpr uint32_t kJob = 0x10000;

// Between two GEMMs of a decode step there are a few microseconds, so spinning pays. Longer
// spinning would take the core from other programs on the machine.
constexpr std::chrono::microseconds kSpin{40};

// Spins until ready() or until the time is up. Returns whether it became ready.
template <typename Ready>
bool spin(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

ThreadPool::ThreadPool(int threads) {
  check(threads >= 1 && threads < static_cast<int>(kInside), "thread pool: 1 to 32766 threads");
  for (int i = 1; i < threads && start_thread(workers_, [this] { work(); }); ++i) {
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  state_.fetch_add(kJob);
  state_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t chunks, const std::function<void(int64_t)>& body) {
  if (chunks <= 1 || workers_.empty()) {
    for (int64_t i = 0; i < chunks; ++i) body(i);
    return;
  }
  body_ = &body;
  chunks_ = chunks;
  failure_ = nullptr;
  next_.store(0, std::memory_order_relaxed);
  state_.fetch_add(kJob + kOpen);
  state_.notify_all();

  take_chunks();

  uint32_t state = state_.fetch_and(~kOpen) & ~kOpen;
  const auto empty = [&] { return ((state = state_.load()) & kInside) == 0; };
  while (!spin(empty)) state_.wait(state);
  if (failure_) std::rethrow_exception(failure_);
}

void ThreadPool::take_chunks() {
  try {
    for (int64_t chunk = next_.fetch_add(1); chunk < chunks_; chunk = next_.fetch_add(1)) {
      (*body_)(chunk);
    }
  } catch (...) {
    next_.store(chunks_);
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

// Counts this worker in, unless the job is closed already.
bool ThreadPool::join() {
  uint32_t state = state_.load();
  while (state & kOpen) {
    if (state_.compare_exchange_weak(state, state + 1)) return true;
  }
  return false;
}

void ThreadPool::leave() {
  const uint32_t left = state_.fetch_sub(1) - 1;
  if ((left & (kInside | kOpen)) == 0) state_.notify_all();
}

// Waits until the job number differs from that of `seen`; returns the state.
uint32_t ThreadPool::await_news(uint32_t seen) {
  uint32_t state = seen;
  const auto news = [&] { return ((state = state_.load()) ^ seen) >= kJob; };
  while (!spin(news)) state_.wait(state);
  return state;
}

void ThreadPool::work() {
  uint32_t seen = 0;
  while (true) {
    seen = await_news(seen);
    if (stop_.load()) return;
    if (!join()) continue;
    take_chunks();
    leave();
  }
}

}  // namespace bifrons::cpu
