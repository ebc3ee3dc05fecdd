// The fibers that simulate CUDA threads: they must find a mistake that would go wrong on a GPU.
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "tests/cuda_on_cpu/fibers.h"

namespace cuda_on_cpu {
namespace {

TEST(Fibers, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> seen(3 * 2 * 40, 0);
  run_grid({3, 2}, {40}, 0, [&] { ++seen[(blockIdx.y * 3 + blockIdx.x) * 40 + threadIdx.x]; });
  EXPECT_EQ(seen, std::vector<int>(3 * 2 * 40, 1));
}

TEST(Fibers, BarriersWaitForAllThreads) {
  std::vector<int> first(96, 0);
  int late = 0;
  run_grid({1}, {96}, 0, [&] {
    for (int round = 1; round <= 3; ++round) {
      first[threadIdx.x] = round;
      __syncthreads();
      for (int x : first) late += x != round;
      __syncthreads();
    }
  });
  EXPECT_EQ(late, 0);
}

TEST(Fibers, BarriersDoNotWaitForEndedThreads) {
  int passed = 0;
  run_grid({1}, {64}, 0, [&] {
    if (threadIdx.x % 3 == 0) return;
    __syncthreads();
    ++passed;
  });
  EXPECT_EQ(passed, 42);
}

TEST(Fibers, LanesExchangeAndBlocksCount) {
  std::vector<int> opposite(64), all(64);
  run_grid({1}, {64}, 0, [&] {
    const int mine = static_cast<int>(threadIdx.x);
    opposite[mine] = __shfl_xor_sync(0xffffffffu, mine, 31);
    all[mine] = __syncthreads_count(mine % 4 == 0);
  });
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(opposite[i], i ^ 31);
    EXPECT_EQ(all[i], 16);
  }
}

TEST(Fibers, SharedMemoryBeginsAsNan) {
  int trapped = 0;
  run_grid({2}, {32}, 128, [&] {
    float* shared = reinterpret_cast<float*>(shared_memory());
    trapped += shared[threadIdx.x] != shared[threadIdx.x];
    __syncthreads();
    shared[threadIdx.x] = 1.0f;
  });
  EXPECT_EQ(trapped, 64);
}

TEST(Fibers, CopiesArriveWhenWaitedFor) {
  alignas(16) int from[4] = {1, 2, 3, 4}, to[8] = {}, zeroed[4] = {5, 5, 5, 5};
  int early = 0;
  run_grid({1}, {2}, 0, [&] {
    copy_later(to + 4 * threadIdx.x, from);
    cp_async_commit();
    if (threadIdx.x == 0) copy_later(zeroed, nullptr);
    cp_async_commit();
    early += to[4 * threadIdx.x];
    from[0] = 7;
    if (threadIdx.x == 0) cp_async_wait(1);
    if (threadIdx.x == 0) early += 5 - zeroed[0];  // of the group in flight
    if (threadIdx.x == 0) cp_async_wait(0);
  });
  EXPECT_EQ(early, 0);
  EXPECT_EQ(std::vector<int>(to, to + 8), (std::vector<int>{7, 2, 3, 4, 0, 0, 0, 0}));
  EXPECT_EQ(zeroed[0] + zeroed[3], 0);
}

TEST(Fibers, DeadlocksAreFound) {
  const auto lanes_part = [] {
    if (threadIdx.x < 16) {
      __syncwarp();
    } else {
      __shfl_xor_sync(0xffffffffu, 1, 1);
    }
  };
  EXPECT_THROW(run_grid({1}, {32}, 0, lanes_part), std::logic_error);
  const auto half_a_warp_waits = [] {
    if (threadIdx.x < 16) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  };
  EXPECT_THROW(run_grid({1}, {32}, 0, half_a_warp_waits), std::logic_error);
}

TEST(Fibers, InvalidLaunchesAreRefused) {
  EXPECT_THROW(run_grid({1}, {1025}, 0, [] {}), std::logic_error);
  EXPECT_THROW(run_grid({0}, {32}, 0, [] {}), std::logic_error);
  EXPECT_THROW(run_grid({1, 65536}, {32}, 0, [] {}), std::logic_error);
  EXPECT_THROW(run_grid({1}, {32}, machine().shared_memory + 1, [] {}), std::logic_error);
}

void nothing(int) {}

// As on a GPU, the attribute of a kernel says how much shared memory its launches may have.
TEST(Launches, MoreThan48KibibytesAreAskedFor) {
  cudaStream_t stream = nullptr;
  cudaStreamCreateWithFlags(&stream, 0);
  cudaLaunchConfig_t config{};
  config.blockDim = 32;
  config.stream = stream;
  config.dynamicSmemBytes = 48 << 10;
  EXPECT_EQ(cudaLaunchKernelEx(&config, nothing, 1), cudaSuccess);
  config.dynamicSmemBytes += 1;
  EXPECT_EQ(cudaLaunchKernelEx(&config, nothing, 1), cudaErrorInvalidValue);
  constexpr auto kMost = cudaFuncAttributeMaxDynamicSharedMemorySize;
  EXPECT_EQ(cudaFuncSetAttribute(nothing, kMost, 64 << 10), cudaSuccess);
  EXPECT_EQ(cudaLaunchKernelEx(&config, nothing, 1), cudaSuccess);
  EXPECT_EQ(cudaFuncSetAttribute(nothing, kMost, machine().shared_memory + 1),
            cudaErrorInvalidValue);
  cudaGetLastError();
  cudaStreamDestroy(stream);
}

}  // namespace
}  // namespace cuda_on_cpu
