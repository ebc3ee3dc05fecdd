// The ceiling a decoding step is compared with: what a device can read from its memory.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.h"

namespace bifrons {

// Keeps memory at hand so that the bandwidth can be measured again and again between other
// measurements, on a machine that others disturb.
class ReadBandwidth {
 public:
  virtual ~ReadBandwidth() = default;
  // GB/s (10^9 bytes) of pure reading, with the widest loads.
  virtual double measure() = 0;
};

// What the default reads: many times the last cache of any processor.
inline constexpr int64_t kBandwidthBytes = int64_t{1} << 30;

// Of this machine's memory, by as many threads as make_cpu_backend(threads) has.
std::unique_ptr<ReadBandwidth> make_cpu_read_bandwidth(int threads);

// Of the card of a CUDA backend, which is borrowed, over `bytes`, rounded down to 16, or a quarter
// of what is free if that is less. Throws Error (unavailable), and (interrupted) from measure()
// when what was read is not what lies there.
std::unique_ptr<ReadBandwidth> make_cuda_read_bandwidth(Backend& cuda,
                                                        int64_t bytes = kBandwidthBytes);

}  // namespace bifrons
