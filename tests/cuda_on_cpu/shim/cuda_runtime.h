// CUDA's words for the host: what kernels/cuda says of threads, memory and streams, meant for one
// thread of this machine. Kernels run in tests/cuda_on_cpu/fibers.h.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

// The language's own words must be macros: no other definition can make them disappear.
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

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

// Where the running fiber stands.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

// All threads of the block, or of the warp, meet here. `kind` tells operations apart, so that
// threads of one warp that wait in different places are found out.
void block_barrier();
void warp_barrier(int kind);

// The place of this lane in what its warp exchanges, and of any other.
std::byte* exchange_slot(int lane);
int lane();
constexpr int kSlotBytes = 64;

template <typename T>
T from_lane(const T& value, int source, int kind) {
  static_assert(sizeof(T) <= kSlotBytes && std::is_trivially_copyable_v<T>);
  std::memcpy(exchange_slot(lane()), &value, sizeof value);
  warp_barrier(kind);
  T result;
  std::memcpy(&result, exchange_slot(source), sizeof result);
  warp_barrier(kind);
  return result;
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
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
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
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3
};
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaHostAllocMapped = 2;
constexpr unsigned cudaEventDefault = 0;
constexpr unsigned cudaEventDisableTiming = 2;

namespace cuda_on_cpu {
struct FakeStream;
struct FakeGraph;
struct FakeEvent;

// What the fake machine is like; tests change it and put it back.
struct Machine {
  int driver = 13000;
  int devices = 1;
  int major = 9;
  int code = 90;  // what the build's kernels were compiled for; 0: for other machines
  size_t memory = size_t{8} << 30;    // bytes in all
  int shared_memory = 227 << 10;      // bytes of a block
  cudaError_t failure = cudaSuccess;  // of everything that waits for the device
  // Whether work is left until somebody waits for it: what a host that runs ahead must bear.
  bool late = false;
  // What a graph takes, and one with kernels that begin early.
  float milliseconds = 1.0f, pdl_milliseconds = 0.9f;
};
Machine& machine();

// Launches so far, also into graphs, that may begin before what is in front of them has ended.
int64_t pdl_kernels();
// Graphs with such kernels that were launched.
int64_t pdl_graphs();

// Launched graphs that have not run yet, of all streams.
int64_t waiting_graphs();

// Of the streams there are, sorted; the least number goes first.
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
};

const char* cudaGetErrorName(cudaError_t status);
const char* cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetLastError();
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function);
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
