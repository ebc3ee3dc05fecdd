// The ceiling a decoding step is compared with: what this process can read from memory.
#pragma once

#include <cstdint>

#include "kernels/buffer.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

// Keeps a GiB at hand so that the bandwidth can be measured again and again between other
// measurements, on a machine that others disturb.
class ReadBandwidth {
 public:
  // threads: 0 takes all cores of this process.
  explicit ReadBandwidth(int threads = 0);

  // GB/s (10^9 bytes) of one pass of all threads over the buffer, with this machine's widest loads.
  double measure();

 private:
  ThreadPool pool_;
  Buffer buffer_;
};

}  // namespace bifrons::cpu
