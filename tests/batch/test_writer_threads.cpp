#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <thread>

#include "src/batch/writer_threads.h"

namespace bifrons {
namespace {

TEST(WriterThreads, DoEverythingBeforeFinishReturns) {
  std::atomic<int> sum = 0;
  WriterThreads writers(3);
  for (int i = 1; i <= 100; ++i) writers.add([&sum, i] { sum += i; });
  writers.finish();
  EXPECT_EQ(sum, 5050);
  EXPECT_FALSE(writers.broken());
}

TEST(WriterThreads, DoEverythingBeforeTheyGo) {
  std::atomic<int> done = 0;
  {
    WriterThreads writers(2);
    for (int i = 0; i < 20; ++i) writers.add([&done] { ++done; });
  }
  EXPECT_EQ(done, 20);
}

TEST(WriterThreads, HoldBackWhoeverBringsTooMuch) {
  constexpr int kThreads = 2, kHeld = 3 * kThreads;  // for each thread: one running, two waiting
  std::latch go(1);
  std::atomic<int> added = 0;
  WriterThreads writers(kThreads);
  std::thread bringer([&] {
    for (int i = 0; i < kHeld + 1; ++i) {
      writers.add([&go] { go.wait(); });
      ++added;
    }
  });
  while (added < kHeld) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(added, kHeld);
  go.count_down();
  bringer.join();
  EXPECT_EQ(added, kHeld + 1);
}

TEST(WriterThreads, AFailureReachesAddAndFinishAndEndsTheRest) {
  std::atomic<int> late = 0;
  WriterThreads writers(1);
  writers.add([] { throw std::runtime_error("disk full"); });
  while (!writers.broken()) std::this_thread::yield();
  EXPECT_THROW(writers.add([&late] { ++late; }), std::runtime_error);
  EXPECT_THROW(writers.finish(), std::runtime_error);
  EXPECT_EQ(late, 0);
}

TEST(WriterThreads, WithoutAThreadTheCallerWrites) {
  int done = 0;
  WriterThreads writers(0);
  writers.add([&done] { ++done; });
  EXPECT_EQ(done, 1);
  EXPECT_THROW(writers.add([] { throw std::runtime_error("disk full"); }), std::runtime_error);
  EXPECT_TRUE(writers.broken());
  EXPECT_THROW(writers.add([&done] { ++done; }), std::runtime_error);
  EXPECT_THROW(writers.finish(), std::runtime_error);
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace bifrons
