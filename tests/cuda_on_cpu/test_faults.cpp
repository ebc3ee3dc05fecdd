// Error messages of the CUDA backend for machines that it cannot use, on a simulated machine.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/devices.h"
#include "src/engine/open_device.h"
#include "tests/kernels/op_case.h"

namespace bifrons {

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
  EXPECT_EQ(cuda_on_cpu_status().devices[0].code, "");
}

TEST_F(Faults, CodeThatTheDriverCannotUse) {
  machine.code = 0;
  expect_refusal(
      "this build has no code for this GPU while looking for its code; configure the "
      "build with -DCMAKE_CUDA_ARCHITECTURES=native");
}

// The only place that names a GPU is the list of devices: what it is, its driver, its code.
TEST_F(Faults, ADeviceIsDescribedForUsers) {
  machine.minor = 6;
  machine.major = 8;
  const auto about = [](std::optional<bool> pdl) {
    CudaStatus status = cuda_on_cpu_status();
    status.driver_release = "580.65.06";
    const std::vector<DeviceInfo> gpus = describe_gpus(status, pdl);
    EXPECT_EQ(gpus.size(), 1u);
    EXPECT_EQ(gpus[0].name, "cuda:0");
    EXPECT_EQ(gpus[0].problem, "");
    EXPECT_EQ(gpus[0].total_bytes, int64_t{8} << 30);
    return gpus[0].about;
  };
  EXPECT_EQ(about({}),
            "this CPU in a GPU's clothes, compute capability 8.6, 8192 MiB, driver 580.65.06 (CUDA "
            "13.0), machine code for 8.0, no programmatic dependent launch");
  machine.major = 12;
  machine.minor = 0;
  EXPECT_TRUE(
      about(true).ends_with("PTX of 8.0, compiled by the driver at the first start, no "
                            "programmatic dependent launch"));
  CudaStatus status = cuda_on_cpu_status();
  status.devices[0].pdl = true;  // as a build with code for this card says
  const auto ending = [&](std::optional<bool> pdl, std::string_view words) {
    const std::string text = describe_gpus(status, pdl)[0].about;
    EXPECT_TRUE(text.ends_with(words)) << text;
  };
  ending({}, ", programmatic dependent launch where it is faster");
  ending(true, ", programmatic dependent launch");
  ending(false, ", programmatic dependent launch off");
}

TEST_F(Faults, ProblemsOfAMachineAreItsOnlyLine) {
  machine.driver = 12020;
  const std::vector<DeviceInfo> gpus = describe_gpus(cuda_on_cpu_status());
  ASSERT_EQ(gpus.size(), 1u);
  EXPECT_EQ(gpus[0].name, "cuda");
  EXPECT_EQ(gpus[0].problem,
            "the NVIDIA driver is too old: it serves CUDA 12.2, and this build needs 13.0; install "
            "driver 580.65 or later, or build with a CUDA toolkit 12.x");
}

TEST_F(Faults, DriversThatAreNotReady) {
  const std::pair<cudaError_t, std::string> cases[] = {
      {cudaErrorSystemNotReady, "start the fabric manager"},
      {cudaErrorSystemDriverMismatch, "restart the machine"},
      {cudaErrorCompatNotSupportedOnDevice, "out of LD_LIBRARY_PATH"},
      {cudaErrorInvalidValue, "nvidia-smi may say more"}};
  for (const auto& [status, advice] : cases) {
    machine.start = status;
    expect_refusal(advice);
  }
}

TEST_F(Faults, ACardThatIsForbiddenOrTaken) {
  machine.compute_mode = cudaComputeModeProhibited;
  expect_refusal(
      "its compute mode forbids all programs; allow them with nvidia-smi -i 0 -c DEFAULT");
  machine.compute_mode = cudaComputeModeDefault;
  const std::string taken =
      "another program has it alone (exclusive compute mode); end that program";
  machine.choice = cudaErrorDevicesUnavailable;
  expect_refusal(taken);
  machine.choice = cudaErrorMemoryAllocation;
  expect_refusal("other programs have taken its memory");
  machine = {};
  // Some drivers say so only when work is given to the card.
  const auto b = make_cuda_on_cpu_backend(0, false);
  machine.failure = cudaErrorDevicesUnavailable;
  expect_error(ErrorKind::kUnavailable, taken, [&] { b->synchronize(); });
}

// The first GPU that opens is taken, and a reason is given only if none does.
TEST_F(Faults, AutoPassesOverACardThatIsTaken) {
  machine.devices = 2;
  const auto open = [this](std::vector<int> taken) {
    return open_first(
        cuda_on_cpu_status(),
        [&](int index) {
          const bool refused = std::count(taken.begin(), taken.end(), index) > 0;
          machine.choice = refused ? cudaErrorDevicesUnavailable : cudaSuccess;
          return make_cuda_on_cpu_backend(index, false);
        },
        1);
  };
  const OpenDevice second = open({0});
  EXPECT_EQ(second.name, "cuda:1");
  EXPECT_EQ(second.fallback, "");
  const OpenDevice none = open({0, 1});
  EXPECT_EQ(none.name, "cpu");
  EXPECT_NE(none.fallback.find("another program has it alone"), std::string::npos) << none.fallback;
  // A fault that is not the card's state is not passed over.
  machine.choice = cudaSuccess;
  EXPECT_THROW(
      open_first(
          cuda_on_cpu_status(),
          [](int) -> std::unique_ptr<Backend> { throw Error(ErrorKind::kInterrupted, "failed"); },
          1),
      Error);
}

// The driver compiles PTX of its own CUDA version and of earlier ones only.
TEST_F(Faults, PtxThatIsTooNewForTheDriver) {
  machine.major = 12;
  machine.driver = 13000;
  machine.runtime = 13010;
  expect_refusal(
      "the driver has to compile PTX of CUDA 13.1, but it serves CUDA 13.0; update the "
      "driver, or configure the build with -DCMAKE_CUDA_ARCHITECTURES=native");
  machine.major = 8;  // machine code needs no compiling
  EXPECT_NO_THROW(make_cuda_on_cpu_backend(0, false));
}

TEST_F(Faults, ReleasesOfDrivers) {
  EXPECT_EQ(cuda::release_in("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug "
                             "19 01:15:15 UTC 2023\nGCC version:  gcc version 12.3.0"),
            "535.104.05");
  EXPECT_EQ(cuda::release_in("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  "
                             "Release Build  (dvs-builder@U22-I3-AM24-31-3)"),
            "580.65.06");
  EXPECT_EQ(cuda::release_in(""), "");
  EXPECT_EQ(cuda::release_in("NVRM version: unknown 7 x1.2"), "");
}

// Which code of a build a GPU runs, as NVIDIA's manual of nvcc says.
TEST_F(Faults, ArchitecturesOfABuild) {
  const auto code = [](std::string_view architectures, int major, int minor) -> std::string {
    const auto found = cuda::code_for(architectures, major, minor);
    if (!found) return "none";
    return (found->ptx ? "ptx " : "machine ") + std::to_string(found->architecture);
  };
  EXPECT_EQ(code("80", 7, 5), "none");
  for (const char* all : {"80", "80,90a-real", "70-real,80"}) {
    EXPECT_EQ(code(all, 8, 0), "machine 80") << all;
    EXPECT_EQ(code(all, 8, 6), "machine 80") << all;
    EXPECT_EQ(code(all, 12, 0), "ptx 80") << all;
  }
  EXPECT_EQ(code("80,90a-real", 9, 0), "machine 90");
  constexpr std::string_view kDefault = "80-real,90a-real,90-virtual";
  EXPECT_EQ(code(kDefault, 8, 9), "machine 80");
  EXPECT_EQ(code(kDefault, 9, 0), "machine 90");
  EXPECT_EQ(code(kDefault, 10, 0), "ptx 90");
  EXPECT_EQ(code(kDefault, 12, 0), "ptx 90");
  EXPECT_EQ(code("80,86,89", 8, 9), "machine 89");
  EXPECT_EQ(code("80,86,89", 9, 0), "ptx 89");
  EXPECT_EQ(code("80-virtual", 8, 0), "ptx 80");
  EXPECT_EQ(code("native", 8, 6), "machine 86");
  EXPECT_EQ(code("86", 8, 0), "none");
  // Code for one kind of GPU, and for one family.
  EXPECT_EQ(code("90a-real", 9, 0), "machine 90");
  EXPECT_EQ(code("90a-real", 10, 0), "none");
  EXPECT_EQ(code("90a", 10, 0), "none");
  EXPECT_EQ(code("90a-real", 8, 6), "none");
  EXPECT_EQ(code("100f-real", 10, 3), "machine 100");
  EXPECT_EQ(code("100f", 12, 0), "none");
  EXPECT_EQ(code("80-real", 8, 6), "machine 80");
  EXPECT_EQ(code("80-real", 9, 0), "none");
  EXPECT_EQ(code("", 9, 0), "none");
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
