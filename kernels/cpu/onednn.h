// Capabilities of oneDNN (API 2.x) on this processor.
#pragma once

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "kernels/error.h"
#include "kernels/headroom.h"

namespace bifrons::cpu {

// Bytes that must be free before oneDNN plans: it writes code into memory without a look whether
// it got any. A primitive takes less than a megabyte.
constexpr int64_t kPlanningMemory = int64_t{32} << 20;

// Runs `use`, which may call oneDNN. Throws Error (unavailable) in place of its own error where
// memory is what it lacks.
template <typename Use>
void with_onednn(const Use& use) {
  try {
    use();
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_out_of_memory) throw;
    throw Error(ErrorKind::kUnavailable,
                std::string("not enough memory: oneDNN says it ") + error.message);
  }
}

// Without AVX-512, oneDNN has no bf16 GEMM, no bf16 convolution and not every bf16 reorder.
inline bool onednn_knows_bf16() {
  const auto least = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & least) == least;
}

}  // namespace bifrons::cpu
