// The fibers that simulate CUDA threads: they must find a mistake that would go wrong on a GPU.
#include <gtest/gtest.h>

#include <algorithm>
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

// A GPU promises no order, so a missing barrier must show, whichever warp writes.
TEST(Fibers, BlocksAndWarpsComeInAnyOrder) {
  std::vector<int> order;
  for (int run = 0; run < 4; ++run) {
    run_grid({16}, {32}, 0, [&] {
      if (threadIdx.x == 0) order.push_back(static_cast<int>(blockIdx.x));
    });
  }
  EXPECT_FALSE(std::is_sorted(order.begin(), order.begin() + 16));
  int seen_early = 0, seen_late = 0;
  for (int run = 0; run < 40; ++run) {
    int written = 0;
    run_grid({1}, {64}, 0, [&] {
      if (threadIdx.x == 0) written = 1;
      if (threadIdx.x == 32) (written == 0 ? seen_early : seen_late) += 1;
    });
  }
  EXPECT_GT(seen_early, 0);
  EXPECT_GT(seen_late, 0);
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

// A stream that captures, with one more stream beside it.
class Captures : public ::testing::Test {
 protected:
  Captures() {
    cudaStreamCreateWithFlags(&stream_, 0);
    cudaStreamCreateWithFlags(&other_, 0);
    cudaEventCreateWithFlags(&event_, 0);
    EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  }
  ~Captures() override {
    if (graph_) cudaGraphDestroy(graph_);
    cudaEventDestroy(event_);
    cudaStreamDestroy(other_);
    cudaStreamDestroy(stream_);
    cudaGetLastError();
  }

  cudaStream_t stream_ = nullptr, other_ = nullptr;
  cudaEvent_t event_ = nullptr;
  cudaGraph_t graph_ = nullptr;
};

TEST_F(Captures, OtherStreamsMayBeWaitedFor) {
  EXPECT_EQ(cudaStreamSynchronize(other_), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaSuccess);
  EXPECT_NE(graph_, nullptr);
}

TEST_F(Captures, WaitingForTheirOwnStreamBreaksThem) {
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph_, nullptr);
}

TEST_F(Captures, WaitingForTheDeviceBreaksThem) {
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Captures, TheirEventsCannotBeWaitedFor) {
  EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event_), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaEventQuery(event_), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaSuccess);
}

TEST(Copies, HaveTheDirectionThatTheyName) {
  cudaStream_t stream = nullptr;
  cudaStreamCreateWithFlags(&stream, 0);
  void *device = nullptr, *pinned = nullptr;
  char host[16] = {};
  cudaMalloc(&device, 16);
  cudaHostAlloc(&pinned, 16, cudaHostAllocMapped);
  const auto copied = [&](void* to, const void* from, cudaMemcpyKind kind) {
    return cudaMemcpyAsync(to, from, 16, kind, stream);
  };
  EXPECT_EQ(copied(device, host, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(copied(host, device, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(copied(pinned, host, cudaMemcpyHostToDevice), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(copied(device, pinned, cudaMemcpyDeviceToDevice), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(copied(pinned, host, cudaMemcpyDefault), cudaSuccess);
  cudaFreeHost(pinned);
  cudaFree(device);
  cudaStreamDestroy(stream);
  cudaGetLastError();
}

}  // namespace
}  // namespace cuda_on_cpu
