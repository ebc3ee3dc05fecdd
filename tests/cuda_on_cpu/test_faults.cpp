// Error messages of the CUDA backend for machines that it cannot use, on a simulated machine.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/devices.h"
#include "tests/kernels/op_case.h"

namespace bifrons {

namespace cuda_kernels_on_cpu {
bool has_code_for(std::string_view architectures, int major, int minor);
}

std::unique_ptr<Backend> make_cuda_on_cpu_backend(int device, bool low_priority,
                                                  std::optional<bool> pdl = {});
CudaStatus cuda_on_cpu_status();

namespace testing {

// One bf16 GEMM that may use PDL.
void linear_once(Backend& b) {
  const HostValues weight(spread(1, 16 * 32, DType::kBf16), DType::kBf16, 16, 32);
  const Linear linear = b.make_linear({&weight.array, 1}, {});
  const Buffer x = b.allocate(2 * 32 * 2), y = b.allocate(2 * 16 * 2);
  b.linear(y.view(DType::kBf16, {2, 16}), x.view(DType::kBf16, {2, 32}), linear);
}

}  // namespace testing

namespace {

// Restores the simulated machine.
class Faults : public ::testing::Test {
 protected:
  cuda_on_cpu::Machine& machine = cuda_on_cpu::machine();
  ~Faults() override { machine = {}; }

  static void expect_error(ErrorKind kind, const std::string& words,
                           const std::function<void()>& body) {
    try {
      body();
      ADD_FAILURE() << "nothing was thrown; expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
  void expect_refusal(const std::string& words, int device = 0) {
    expect_error(ErrorKind::kUnavailable, words, [&] { make_cuda_on_cpu_backend(device, false); });
  }
};

TEST_F(Faults, AHealthyMachineIsDescribed) {
  const CudaStatus status = cuda_on_cpu_status();
  EXPECT_TRUE(status.built);
  EXPECT_EQ(status.problem, "");
  EXPECT_EQ(status.driver, "13.0");
  ASSERT_EQ(status.devices.size(), 1u);
  EXPECT_EQ(status.devices[0].capability, "9.0");
  EXPECT_EQ(make_cuda_on_cpu_backend(0, false)->description(),
            "0: this CPU in a GPU's clothes, 8192 MiB");
}

TEST_F(Faults, NoDriver) {
  machine.driver = 0;
  expect_refusal("no NVIDIA driver is installed");
  EXPECT_EQ(cuda_on_cpu_status().driver, "");
}

TEST_F(Faults, ADriverTooOld) {
  machine.driver = 12020;
  expect_refusal("the NVIDIA driver is too old: it serves CUDA 12.2, and this build needs 13.0");
}

TEST_F(Faults, NoCard) {
  machine.devices = 0;
  expect_refusal("there is no NVIDIA GPU");
}

TEST_F(Faults, NoCardWithThatNumber) {
  expect_refusal("there is no device cuda:3; this machine has cuda:0", 3);
  machine.devices = 2;
  expect_refusal("there is no device cuda:-1; this machine has cuda:0 to cuda:1", -1);
}

TEST_F(Faults, ACardTooOld) {
  machine.major = 7;
  expect_refusal("its compute capability is 7.0, and 8.0 or later is needed");
}

TEST_F(Faults, CodeThatTheDriverCannotUse) {
  machine.code = 0;
  expect_refusal("this build has no code for this GPU");
}

TEST_F(Faults, ArchitecturesOfABuild) {
  using cuda_kernels_on_cpu::has_code_for;
  for (const char* all : {"80", "80-virtual", "80,90a-real", "70-real,80", "native"}) {
    EXPECT_TRUE(has_code_for(all, 8, 0) && has_code_for(all, 9, 0) && has_code_for(all, 12, 0))
        << all;
  }
  EXPECT_FALSE(has_code_for("86", 8, 0));
  // CUDA architectures of a build for one kind of GPU.
  EXPECT_TRUE(has_code_for("90a-real", 9, 0));
  EXPECT_FALSE(has_code_for("90a-real", 10, 0));
  EXPECT_FALSE(has_code_for("90a-real", 8, 6));
  EXPECT_TRUE(has_code_for("80-real", 8, 6));
  EXPECT_FALSE(has_code_for("80-real", 9, 0));
  EXPECT_FALSE(has_code_for("", 9, 0));
}

// A kernel that the driver compiles from PTX for older GPUs has no grid_dependency_wait().
TEST_F(Faults, PdlNeedsCodeThatWaits) {
  for (const int code : {80, 90}) {
    machine.major = 12;
    machine.code = code;
    const auto b = make_cuda_on_cpu_backend(0, false, true);
    const int64_t before = cuda_on_cpu::pdl_kernels();
    testing::linear_once(*b);
    EXPECT_EQ(cuda_on_cpu::pdl_kernels() - before, code == 90 ? 1 : 0) << code;
  }
}

TEST_F(Faults, NotEnoughMemory) {
  machine.memory = 1 << 20;
  const auto b = make_cuda_on_cpu_backend(0, false);
  const Buffer some = b->allocate(300 << 10);
  expect_error(ErrorKind::kUnavailable,
               "800000 more bytes are needed and 741376 of 1048576 are free",
               [&] { b->allocate(799999); });
  b->allocate(700000);  // the device still works
}

TEST_F(Faults, ADeviceThatFailsEndsTheRunSoThatItCanResume) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  machine.failure = cudaErrorIllegalAddress;
  expect_error(ErrorKind::kInterrupted, "the GPU failed while computing: an illegal memory access",
               [&] { b->synchronize(); });
}

// An error that was handled is not reported again by the next kernel.
TEST_F(Faults, AHandledErrorIsCleared) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  machine.failure = cudaErrorMemoryAllocation;
  EXPECT_THROW(b->synchronize(), Error);
  machine.failure = cudaSuccess;
  testing::linear_once(*b);
}

// Nor is one that a destructor ignored.
TEST_F(Faults, AnIgnoredErrorIsNotReportedByTheNextLaunch) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  {
    const Buffer buffer = b->allocate(16);
    machine.failing_frees = 1;
  }
  EXPECT_EQ(machine.failing_frees, 0);
  EXPECT_NO_THROW(testing::linear_once(*b));
}

// Memory that the host shares with the GPU goes while another backend captures: a wait for the
// whole device would break that capture.
TEST_F(Faults, FreeingSharedMemoryLeavesOthersCapturesAlone) {
  const auto draws = make_cuda_on_cpu_backend(0, false),
             captures = make_cuda_on_cpu_backend(0, false);
  std::vector<Buffer> shared;
  shared.push_back(draws->allocate_shared(64));
  const Buffer counters = captures->allocate(4);
  const auto step = [&] {
    shared.clear();
    captures->advance(counters.view(DType::kI32, {1}));
  };
  EXPECT_NO_THROW(captures->capture(step)->run());
}

// Copies to and from memory that both see.
TEST_F(Faults, SharedMemoryIsUploadedAndDownloaded) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  const Buffer buffer = b->allocate_shared(4), other = b->allocate(4);
  const Tensor shared = buffer.view(DType::kI32, {1, 1}), own = other.view(DType::kI32, {1, 1});
  int32_t value = 7;
  b->upload(shared, &value);
  b->copy(own, shared);
  value = 0;
  b->download(&value, own);
  EXPECT_EQ(value, 7);
}

// Kernels that split L1 and shared memory in different ways would never overlap.
TEST_F(Faults, EveryKernelAsksForTheSameSplitOfSharedMemory) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  const int64_t before = cuda_on_cpu::launches_without_carveout();
  testing::linear_once(*b);
  EXPECT_EQ(cuda_on_cpu::launches_without_carveout(), before);
}

TEST_F(Faults, PermanentErrorsAreNotReportedAsInterrupted) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  for (const cudaError_t no_code : {cudaErrorNoKernelImageForDevice, cudaErrorInvalidKernelImage,
                                    cudaErrorInvalidDeviceFunction, cudaErrorUnsupportedPtxVersion,
                                    cudaErrorInvalidPtx, cudaErrorJitCompilerNotFound}) {
    machine.failure = no_code;
    expect_error(ErrorKind::kUnavailable, "no code for this GPU", [&] { b->synchronize(); });
  }
  machine.failure = cudaErrorMemoryAllocation;
  expect_error(ErrorKind::kUnavailable, "not enough memory on the GPU while computing",
               [&] { b->synchronize(); });
}

// The decoder's backend has lower priority than the one that draws.
TEST_F(Faults, LowPriorityWorkHasTheLowestPriority) {
  const auto draws = make_cuda_on_cpu_backend(0, false),
             decodes = make_cuda_on_cpu_backend(0, true);
  EXPECT_EQ(cuda_on_cpu::stream_priorities(), (std::vector<int>{-5, 0}));
}

TEST_F(Faults, AllocatedMemoryIsZero) {
  const auto b = make_cuda_on_cpu_backend(0, false);
  const Buffer buffer = b->allocate(1000);
  std::vector<unsigned char> bytes(1000, 1);
  b->download(bytes.data(), buffer.view(DType::kU8, {1000}));
  EXPECT_EQ(bytes, std::vector<unsigned char>(1000, 0));
}

}  // namespace
}  // namespace bifrons
