// A step as one CUDA graph.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>

#include "kernels/backend.h"

namespace bifrons::cuda {

// Calls `step` once to see what it launches on `stream`, without running it. `meter` counts each
// run as it counted that call.
std::unique_ptr<Recording> record_graph(cudaStream_t stream, Meter& meter,
                                        const std::function<void()>& step);

}  // namespace bifrons::cuda
