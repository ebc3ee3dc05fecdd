// Allocates GPU memory; errors name the needed bytes. The workspace grows without freeing.
#include "kernels/cuda/memory.h"

#include <algorithm>
#include <string>

#include "kernels/cuda/status.h"

namespace bifrons::cuda {
namespace {

constexpr int64_t kAlignment = 256;

int64_t padded(int64_t bytes) {
  check(bytes >= 0 && bytes <= INT64_MAX - kAlignment, "allocate: impossible size");
  return std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}

[[noreturn]] void refuse(int64_t bytes) {
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) free = total = 0;
  throw Error(ErrorKind::kUnavailable, "not enough memory on the GPU: " + std::to_string(bytes) +
                                           " more bytes are needed and " + std::to_string(free) +
                                           " of " + std::to_string(total) + " are free");
}

void release(void*, void* data, int64_t) { cudaFree(data); }
// Kernels may still use the memory, and cudaFreeHost does not promise to wait for them. A wait for
// the whole device would break a capture of another thread.
void release_mapped(void* stream, void* data, int64_t) {
  cudaStreamSynchronize(static_cast<cudaStream_t>(stream));
  cudaFreeHost(data);
}

// Uses its own stream, because the caller's stream may be capturing.
void fill_with_zeros(void* data, int64_t bytes) {
  cudaStream_t stream = nullptr;
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "clearing memory");
  cudaError_t status = cudaMemsetAsync(data, 0, bytes, stream);
  if (status == cudaSuccess) status = cudaStreamSynchronize(stream);
  cudaStreamDestroy(stream);
  must(status, "clearing memory");
}

// The last buffer of a list if it is large enough; otherwise a new one of at least twice its size.
void* grown(std::vector<Buffer>& list, int64_t bytes) {
  if (list.empty() || list.back().bytes() < bytes) {
    const int64_t last = list.empty() ? 0 : list.back().bytes();
    list.push_back(allocate_device(std::max(bytes, 2 * last)));
  }
  return list.back().data();
}

}  // namespace

Buffer allocate_device(int64_t bytes) {
  const int64_t size = padded(bytes);
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // clears the error; the device still works
    refuse(size);
  }
  must(status, "allocating memory");
  Buffer buffer(data, bytes, MemorySpace::kDevice, release, nullptr);
  fill_with_zeros(data, size);
  return buffer;
}

Buffer allocate_mapped(int64_t bytes, cudaStream_t stream) {
  void* data = nullptr;
  const cudaError_t status = cudaHostAlloc(&data, padded(bytes), cudaHostAllocMapped);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error(ErrorKind::kUnavailable,
                "not enough memory: " + std::to_string(bytes) + " bytes cannot be pinned");
  }
  must(status, "pinning memory");
  return Buffer(data, bytes, MemorySpace::kDevice, release_mapped, stream);
}

std::byte* Workspace::area(int64_t bytes) { return static_cast<std::byte*>(grown(areas_, bytes)); }

int* Workspace::counters(int64_t n) {
  return static_cast<int*>(grown(counters_, n * static_cast<int64_t>(sizeof(int))));
}

}  // namespace bifrons::cuda
