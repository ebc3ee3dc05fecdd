// Read bandwidth of a device's memory: the roofline of a decode step.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.h"

namespace bifrons {

// Keeps its buffer, so that the bandwidth can be measured repeatedly between other measurements, on
// a machine that also runs other programs.
class ReadBandwidth {
 public:
  virtual ~ReadBandwidth() = default;
  // GB/s (10^9 bytes) of pure reading, with the widest loads.
  virtual double measure() = 0;
};

// Bytes that the default reads: many times the last-level cache of any processor.
inline constexpr int64_t kBandwidthBytes = int64_t{1} << 30;

// Measures this machine's memory with as many threads as make_cpu_backend(threads) has.
std::unique_ptr<ReadBandwidth> make_cpu_read_bandwidth(int threads);

// Measures the GPU of a CUDA backend (borrowed) over `bytes`, rounded down to a multiple of 16, or
// over a quarter of the free memory if that is less. Throws Error (unavailable); measure() throws
// Error (interrupted) when the values read differ from those written.
std::unique_ptr<ReadBandwidth> make_cuda_read_bandwidth(Backend& cuda,
                                                        int64_t bytes = kBandwidthBytes);

}  // namespace bifrons
