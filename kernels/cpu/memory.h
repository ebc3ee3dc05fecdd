// Host memory for weights and activations.
#pragma once

#include "kernels/buffer.h"

namespace bifrons::cpu {

// Zero-filled, 64-byte aligned. Big buffers use huge pages if the system has them: a decode step
// streams gigabytes, and with small pages the address translation costs up to a tenth of the
// bandwidth. Throws Error (unavailable) with the needed bytes.
Buffer allocate_host(int64_t bytes);

}  // namespace bifrons::cpu
