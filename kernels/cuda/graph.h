// CUDA graph capture: a decode step as one CUDA graph.
#pragma once

#include <functional>
#include <memory>

#include "kernels/backend.h"
#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

// Use of programmatic dependent launch (launch_pdl()): whether a kernel may begin before the
// previous one has ended.
enum class PdlMode : uint8_t {
  kNever,
  kAlways,
  kIfFaster,  // a captured step times both variants; other kernels do not use PDL
};

// Captures the launches of `step` on `stream` without running them; kIfFaster calls `step` twice.
// Each run adds to `meter` what that call counted.
std::unique_ptr<CapturedStep> capture_graph(Stream& stream, PdlMode mode, Meter& meter,
                                            const std::function<void()>& step);

}  // namespace bifrons::cuda
