// Measures the read bandwidth: all threads stream a buffer larger than the caches, chunk by chunk,
// as the GEMMs stream weights.
#include <atomic>
#include <chrono>
#include <cstring>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/read_bandwidth.h"

namespace bifrons {
namespace cpu {
namespace {

constexpr int64_t kBytes = kBandwidthBytes;
constexpr int64_t kChunk = 4 << 20;

class CpuReadBandwidth final : public ReadBandwidth {
 public:
  explicit CpuReadBandwidth(int threads);
  double measure() override;

 private:
  ThreadPool pool_;
  Buffer buffer_;
};

CpuReadBandwidth::CpuReadBandwidth(int threads)
    : pool_(threads > 0 ? threads : available_cores()), buffer_(allocate_host(kBytes)) {
  auto* data = static_cast<std::byte*>(buffer_.data());
  // Pages that were never written all map to one page of zeros, and zeros read faster than data.
  pool_.run(kBytes / kChunk, [&](int64_t chunk) {
    for (int64_t i = 0; i < kChunk; i += 8) {
      const uint64_t word = static_cast<uint64_t>(chunk * kChunk + i) * 0x9e3779b97f4a7c15u;
      std::memcpy(data + chunk * kChunk + i, &word, 8);
    }
  });
}

double CpuReadBandwidth::measure() {
  const InstructionSet& isa = instruction_set("auto");
  const auto* data = static_cast<const std::byte*>(buffer_.data());
  std::atomic<uint64_t> kept{0};  // prevents the compiler from removing reads
  const auto begin = std::chrono::steady_clock::now();
  pool_.run(kBytes / kChunk, [&](int64_t chunk) {
    kept.fetch_xor(isa.read(data + chunk * kChunk, kChunk), std::memory_order_relaxed);
  });
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(kBytes) / time.count() / 1e9;
}

}  // namespace
}  // namespace cpu

std::unique_ptr<ReadBandwidth> make_cpu_read_bandwidth(int threads) {
  return std::make_unique<cpu::CpuReadBandwidth>(threads);
}

}  // namespace bifrons
