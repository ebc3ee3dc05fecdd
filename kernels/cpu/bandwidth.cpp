// Streams a buffer larger than the caches through all threads, chunk by chunk like the products do.
#include "kernels/cpu/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <vector>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

double measure_read_bandwidth(int threads, int repeats) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  constexpr int64_t kChunk = 4 << 20;
  const InstructionSet& isa = instruction_set("auto");
  ThreadPool pool(threads > 0 ? threads : available_cores());
  const Buffer buffer = allocate_host(kBytes);
  auto* data = static_cast<std::byte*>(buffer.data());
  // Untouched pages all read as one page of zeros, and zeros alone read faster than data.
  pool.run(kBytes / kChunk, [&](int64_t chunk) {
    for (int64_t i = 0; i < kChunk; i += 8) {
      const uint64_t word = static_cast<uint64_t>(chunk * kChunk + i) * 0x9e3779b97f4a7c15u;
      std::memcpy(data + chunk * kChunk + i, &word, 8);
    }
  });
  std::atomic<uint64_t> kept{0};  // so that no read can be left out
  std::vector<double> rates;
  for (int i = 0; i <= repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    pool.run(kBytes / kChunk, [&](int64_t chunk) {
      kept.fetch_xor(isa.read(data + chunk * kChunk, kChunk), std::memory_order_relaxed);
    });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    if (i > 0) rates.push_back(static_cast<double>(kBytes) / time.count() / 1e9);
  }
  std::nth_element(rates.begin(), rates.begin() + rates.size() / 2, rates.end());
  return rates[rates.size() / 2];
}

}  // namespace bifrons::cpu
