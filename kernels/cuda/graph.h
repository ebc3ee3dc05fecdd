// A step as one CUDA graph.
#pragma once

#include <functional>
#include <memory>

#include "kernels/backend.h"
#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

// Whether kernels begin before the one in front of them has ended (launch_pdl()).
enum class PdlMode : uint8_t {
  kNever,
  kAlways,
  kIfFaster,  // a recorded step is tried both ways; kernels that are not recorded do not
};

// Calls `step` to see what it launches on `stream`, without running it; twice for kIfFaster.
// `meter` counts each run as it counted that call.
std::unique_ptr<CapturedStep> capture_graph(Stream& stream, PdlMode mode, Meter& meter,
                                            const std::function<void()>& step);

}  // namespace bifrons::cuda
