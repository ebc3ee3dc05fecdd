// Thread pool: every chunk runs once, under any load of the machine.
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {
namespace {

// Runs a job and checks that each chunk was done exactly once.
void expect_each_once(ThreadPool& pool, int64_t chunks) {
  std::vector<std::atomic<int>> done(chunks);
  pool.run(chunks, [&](int64_t i) { done[i].fetch_add(1); });
  for (int64_t i = 0; i < chunks; ++i) ASSERT_EQ(done[i].load(), 1) << "chunk " << i;
}

TEST(ThreadPool, DoesEveryChunkOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t chunks : {0, 1, 2, 7, 1000}) expect_each_once(pool, chunks);
  }
}

TEST(ThreadPool, ManyShortJobsBesideBusyThreads) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back([&] {
      while (!stop.load()) {
      }
    });
  }
  ThreadPool pool(4);
  int64_t sum = 0;
  for (int job = 0; job < 3000; ++job) {
    int64_t part[5] = {};  // plain memory: the pool itself must order the accesses
    pool.run(5, [&](int64_t i) { part[i] = job + i; });
    for (const int64_t p : part) sum += p;
  }
  stop.store(true);
  for (std::thread& thread : busy) thread.join();
  EXPECT_EQ(sum, 5 * (2999 * 3000 / 2) + 3000 * 10);
}

TEST(ThreadPool, WakesWorkersThatWentToSleep) {
  ThreadPool pool(3);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    expect_each_once(pool, 50);
  }
}

TEST(ThreadPool, RethrowsAndGoesOn) {
  ThreadPool pool(3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_THROW(pool.run(64,
                          [&](int64_t chunk) {
                            if (chunk == i % 64) throw std::runtime_error("chunk");
                          }),
                 std::runtime_error);
    expect_each_once(pool, 64);
  }
}

TEST(ThreadPool, TwoPoolsWorkAtOnce) {
  ThreadPool one(2);
  std::thread other([] {
    ThreadPool two(2);
    for (int i = 0; i < 200; ++i) expect_each_once(two, 20);
  });
  for (int i = 0; i < 200; ++i) expect_each_once(one, 20);
  other.join();
}

TEST(ThreadPool, EndsWithoutAJob) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(4);
}

TEST(ThreadPool, RefusesNoThreads) { EXPECT_THROW(ThreadPool pool(0), std::logic_error); }

}  // namespace
}  // namespace bifrons::cpu
