// The ceiling a decoding step is compared with: what this process can read from memory.
#pragma once

namespace bifrons::cpu {

// GB/s (10^9 bytes) of `threads` threads (0: all cores of this process) reading 1 GiB with the
// widest loads of this machine; the median of `repeats` passes after one that is not counted.
double measure_read_bandwidth(int threads = 0, int repeats = 7);

}  // namespace bifrons::cpu
