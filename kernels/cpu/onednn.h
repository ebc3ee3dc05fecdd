// What oneDNN (API 2.x) can do on this processor.
#pragma once

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "kernels/error.h"
#include "kernels/headroom.h"

namespace bifrons::cpu {

// What planning takes of oneDNN's own: it writes code into memory without looking whether it got
// any. Bytes; a primitive takes less than a megabyte of it.
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

// Without AVX-512 it has no product and no convolution of bf16, and not every reordering.
inline bool onednn_knows_bf16() {
  const auto least = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & least) == least;
}

}  // namespace bifrons::cpu
