// The part of the CUDA language and runtime that kernels/cuda uses, for the host.
// tests/cuda_on_cpu/fibers.h runs the threads of the kernels.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// CUDA's keywords must be macros: no other definition can remove them.
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct alignas(8) uint2 {
  unsigned x, y;
};

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

struct alignas(16) float4 {
  float x, y, z, w;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Indices of the running fiber.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

// Barrier of all threads of the block, or of the warp. `kind` identifies the operation, so that
// threads of one warp waiting in different places are detected.
void block_barrier();
void warp_barrier(int kind);

// What the lanes of a warp give each other: each writes its slot, and reads others after the next
// warp_barrier(). The slots stay as they are until the barrier after it.
constexpr int kSlotBytes = 64;
struct ExchangeSlots {
  alignas(16) std::byte of[32][kSlotBytes];

  template <typename T>
  void write(int lane, const T& value) {
    static_assert(sizeof(T) <= kSlotBytes && std::is_trivially_copyable_v<T>);
    std::memcpy(of[lane], &value, sizeof value);
  }
  template <typename T>
  T read(int lane) const {
    T value;
    std::memcpy(&value, of[lane], sizeof value);
    return value;
  }
};
ExchangeSlots& exchange_slots();
int lane();

template <typename T>
T from_lane(const T& value, int source, int kind) {
  ExchangeSlots& slots = exchange_slots();
  slots.write(lane(), value);
  warp_barrier(kind);
  return slots.read<T>(source);
}

int count_in_block(bool holds);

}  // namespace cuda_on_cpu

inline void __syncthreads() { cuda_on_cpu::block_barrier(); }
inline int __syncthreads_count(bool holds) { return cuda_on_cpu::count_in_block(holds); }
inline void __syncwarp() { cuda_on_cpu::warp_barrier(1); }
inline void __threadfence() {}

template <typename T>
T __shfl_sync(unsigned, T value, int source) {
  return cuda_on_cpu::from_lane(value, source % 32, 2);
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return cuda_on_cpu::from_lane(value, cuda_on_cpu::lane() ^ mask, 3);
}

template <typename T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = old + value;
  return old;
}
template <typename T>
T atomicMax(T* at, T value) {
  const T old = *at;
  *at = std::max(old, value);
  return old;
}

// The part of the runtime library that kernels/cuda uses.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidMemcpyDirection = 21,
  cudaErrorInsufficientDriver = 35,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidKernelImage = 200,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorInvalidPtx = 218,
  cudaErrorJitCompilerNotFound = 221,
  cudaErrorUnsupportedPtxVersion = 222,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorSystemNotReady = 802,
  cudaErrorSystemDriverMismatch = 803,
  cudaErrorCompatNotSupportedOnDevice = 804,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorCapturedEvent = 907,
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4
};
enum cudaDeviceAttr { cudaDevAttrComputeMode = 20, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
enum cudaComputeMode { cudaComputeModeDefault = 0, cudaComputeModeProhibited = 2 };
enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
  cudaFuncAttributePreferredSharedMemoryCarveout = 9
};
constexpr int cudaSharedmemCarveoutMaxShared = 100;
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaHostAllocMapped = 2;
constexpr unsigned cudaEventDefault = 0;
constexpr unsigned cudaEventDisableTiming = 2;

namespace cuda_on_cpu {
struct FakeStream;
struct FakeGraph;
struct FakeEvent;

// Properties of the simulated machine; tests change and restore them.
struct Machine {
  int driver = 13000;
  int runtime = 13000;
  int devices = 1;
  int major = 9, minor = 0;
  int compute_mode = cudaComputeModeDefault;
  cudaError_t start = cudaSuccess;   // answer to cudaGetDeviceCount
  cudaError_t choice = cudaSuccess;  // answer to cudaSetDevice
  int code = 90;  // compute capability of the compiled kernels; 0: for other machines
  size_t memory = size_t{8} << 30;    // total bytes
  int shared_memory = 227 << 10;      // bytes per block
  cudaError_t failure = cudaSuccess;  // returned by every call that waits for the device
  int failing_frees = 0;              // calls of cudaFree that fail from now on
  // Whether work is delayed until something waits for it. The host must be correct when it runs
  // ahead.
  bool asynchronous = false;
  // Milliseconds of a graph, and of a graph with PDL launches.
  float milliseconds = 1.0f, pdl_milliseconds = 0.9f;
};
Machine& machine();

// PDL launches so far, also those into graphs.
int64_t pdl_kernels();
// Launches so far of kernels that leave the split of L1 and shared memory to the driver.
int64_t launches_without_carveout();
// Launched graphs with PDL launches.
int64_t pdl_graphs();

// Launched graphs that have not run yet, of all streams.
int64_t waiting_graphs();

// Priorities of all streams, sorted; the least number goes first.
std::vector<int> stream_priorities();
}  // namespace cuda_on_cpu

using cudaStream_t = cuda_on_cpu::FakeStream*;
using cudaEvent_t = cuda_on_cpu::FakeEvent*;
using cudaGraph_t = cuda_on_cpu::FakeGraph*;
using cudaGraphExec_t = cuda_on_cpu::FakeGraph*;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
};

struct cudaFuncAttributes {
  int ptxVersion;
  size_t sharedSizeBytes;
};

enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

namespace cuda_on_cpu {

// A kernel with its arguments. `on_host` calls it for one thread; it owns the arguments.
struct KernelCall {
  const void* kernel = nullptr;
  dim3 blocks, threads;
  int64_t shared_bytes = 0;  // dynamic
  int64_t asked_shared = 0;  // most dynamic bytes that the kernel's attribute allows; 0: not set
  std::vector<std::pair<const void*, size_t>> arguments;  // address and bytes
  std::function<void()> on_host;
};

cudaError_t launch(const cudaLaunchConfig_t& config, KernelCall call);
cudaError_t function_attributes(cudaFuncAttributes* attributes, const void* kernel);
cudaError_t set_function_attribute(const void* kernel, cudaFuncAttribute attribute, int value);

}  // namespace cuda_on_cpu

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const auto all = std::make_shared<std::tuple<Parameters...>>(arguments...);
  cuda_on_cpu::KernelCall call;
  call.kernel = reinterpret_cast<const void*>(kernel);
  std::apply([&](const auto&... each) { call.arguments = {{&each, sizeof each}...}; }, *all);
  call.on_host = [kernel, all] { std::apply(kernel, *all); };
  return cuda_on_cpu::launch(*config, std::move(call));
}
template <typename Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel* kernel) {
  return cuda_on_cpu::function_attributes(attributes, reinterpret_cast<const void*>(kernel));
}
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute attribute, int value) {
  return cuda_on_cpu::set_function_attribute(reinterpret_cast<const void*>(kernel), attribute,
                                             value);
}

const char* cudaGetErrorName(cudaError_t status);
const char* cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** data, size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
