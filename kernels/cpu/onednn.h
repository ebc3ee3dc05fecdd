// What oneDNN (API 2.x) can do on this processor.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

namespace bifrons::cpu {

// Without AVX-512 it has no product and no convolution of bf16, and not every reordering.
inline bool onednn_knows_bf16() {
  const auto least = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & least) == least;
}

}  // namespace bifrons::cpu
