// Measures the read bandwidth: all multiprocessors read a buffer that is much larger than L2, and
// nothing else.
#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/read_bandwidth.h"

namespace bifrons {
namespace cuda {

constexpr int kReadThreads = 256;
constexpr int kLoadsInFlight = 8;      // 16 bytes each: 32 KiB per block
constexpr int64_t kMostBlocks = 2048;  // more than a GPU runs at once
constexpr int kPasses = 16;            // per measurement, so that launch overhead does not count

// Word i of the buffer. The sum of all words is known in closed form, and no two halves of the
// buffer are equal.
__host__ __device__ inline uint32_t word_at(int64_t i) {
  return static_cast<uint32_t>(i) * 0x9e3779b1u;
}

__global__ void __launch_bounds__(kReadThreads) fill_kernel(uint32_t* words, int64_t n) {
  const int64_t stride = int64_t{gridDim.x} * kReadThreads;
  for (int64_t i = int64_t{blockIdx.x} * kReadThreads + threadIdx.x; i < n; i += stride) {
    words[i] = word_at(i);
  }
}

// Adds the sum of all words to *total, modulo 2^32.
__global__ void __launch_bounds__(kReadThreads)
    read_kernel(uint32_t* total, const uint4* data, int64_t n) {
  const int64_t tile = int64_t{kReadThreads} * kLoadsInFlight;
  uint32_t sum = 0;
  for (int64_t first = blockIdx.x * tile; first < n; first += gridDim.x * tile) {
    uint4 parts[kLoadsInFlight];
    for (int j = 0; j < kLoadsInFlight; ++j) {
      const int64_t i = first + j * kReadThreads + threadIdx.x;
      parts[j] = i < n ? load_streaming(data + i) : uint4{0, 0, 0, 0};
    }
    for (const uint4& p : parts) sum += p.x + p.y + p.z + p.w;
  }
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(kAllLanes, sum, offset);
  }
  if (threadIdx.x % kWarp == 0) atomicAdd(total, sum);
}

class CudaReadBandwidth final : public ReadBandwidth {
 public:
  CudaReadBandwidth(CudaBackend& backend, int64_t bytes) : b_(backend) {
    const int64_t free = b_.free_bytes().value_or(bytes);
    pieces_ = std::min(bytes, free / 4) / static_cast<int64_t>(sizeof(uint4));
    check(pieces_ > 0, "read bandwidth: nothing to read");
    buffer_ = b_.allocate(pieces_ * static_cast<int64_t>(sizeof(uint4)));
    total_ = b_.allocate(sizeof(uint32_t));
    const int64_t words = 4 * pieces_;
    launch(b_.on_card().handle, fill_kernel, grid(words, kReadThreads),
           static_cast<uint32_t*>(buffer_.data()), words);
    b_.synchronize();
  }

  double measure() override {
    const uint32_t before = total();
    const auto begin = std::chrono::steady_clock::now();
    for (int pass = 0; pass < kPasses; ++pass) {
      launch(b_.on_card().handle, read_kernel, grid(pieces_, kReadThreads * kLoadsInFlight),
             static_cast<uint32_t*>(total_.data()), static_cast<const uint4*>(buffer_.data()),
             pieces_);
    }
    b_.synchronize();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    if (total() - before != static_cast<uint32_t>(kPasses) * expected()) {
      throw Error(ErrorKind::kInterrupted, "the GPU did not read what lies in its memory");
    }
    return static_cast<double>(kPasses * buffer_.bytes()) / time.count() / 1e9;
  }

 private:
  // At least two rounds for a block that processes `each` elements per round.
  static Grid grid(int64_t n, int64_t each) {
    return {dim3(static_cast<unsigned>(std::min(kMostBlocks, ceil_div(n, 2 * each)))),
            dim3(kReadThreads)};
  }
  uint32_t total() {
    uint32_t value = 0;
    b_.download(&value, total_.view(DType::kI32, {1}));
    return value;
  }
  // (0 + 1 + .. + n - 1) * word_at(1), modulo 2^32. n is even, so n / 2 is exact.
  uint32_t expected() const {
    const uint64_t n = 4 * static_cast<uint64_t>(pieces_);
    return static_cast<uint32_t>(n / 2 * (n - 1)) * word_at(1);
  }

  CudaBackend& b_;
  int64_t pieces_ = 0;  // vectors of 16 bytes
  Buffer buffer_, total_;
};

}  // namespace cuda

std::unique_ptr<ReadBandwidth> make_cuda_read_bandwidth(Backend& backend, int64_t bytes) {
  auto* on_card = dynamic_cast<cuda::CudaBackend*>(&backend);
  check(on_card != nullptr, "make_cuda_read_bandwidth: not a CUDA backend");
  return std::make_unique<cuda::CudaReadBandwidth>(*on_card, bytes);
}

}  // namespace bifrons
