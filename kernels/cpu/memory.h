// Host memory for weights and activations.
#pragma once

#include "kernels/buffer.h"

namespace bifrons::cpu {

// Zero-filled, 64-byte aligned; big ones on huge pages where the system has them: a step streams
// gigabytes, and with small pages the translations cost as much as a tenth of the bandwidth.
// Throws Error (unavailable) with the needed bytes.
Buffer allocate_host(int64_t bytes);

}  // namespace bifrons::cpu
