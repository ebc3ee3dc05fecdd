// The functions of kernels/cuda/instructions.h as plain loops (cp.async, mma.m16n8k16, PDL).
#pragma once

#include <cuda_runtime.h>

#include "kernels/dtype.h"
#include "tests/cuda_on_cpu/fibers.h"

namespace bifrons::cuda {

template <typename T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(cuda_on_cpu::shared_memory());
}

inline uint4 load_streaming(const uint4* from) { return *from; }

inline void prefetch(const void*) {}

inline void cp_async_16(uint4* to, const void* from, bool there) {
  cuda_on_cpu::copy_later(to, there ? from : nullptr);
}
inline void cp_async_commit() { cuda_on_cpu::cp_async_commit(); }
template <int kUnderWay>
void cp_async_wait() {
  cuda_on_cpu::cp_async_wait(kUnderWay);
}

inline uint32_t round_pair(float low, float high) {
  return to_bf16(low).bits | uint32_t{to_bf16(high).bits} << 16;
}

inline uint32_t and_or(uint32_t a, uint32_t b, uint32_t c) { return (a & b) | c; }

inline uint32_t subtract_pairs(uint32_t a, uint32_t b) {
  const auto number = [](uint32_t bits) { return to_float(Bf16{static_cast<uint16_t>(bits)}); };
  return round_pair(number(a) - number(b), number(a >> 16) - number(b >> 16));
}

inline void grid_dependency_wait() { cuda_on_cpu::grid_dependency_wait(); }
inline void trigger_dependents() {}

// The part of both operands that a lane holds.
struct Operands {
  uint4 a;
  uint32_t b0, b1;
};

inline float upper_or_lower(uint32_t pair, int which) {
  return to_float(Bf16{static_cast<uint16_t>(which ? pair >> 16 : pair)});
}

inline void mma_m16n8k16(float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  const Operands mine{a, b0, b1};
  const int lane = cuda_on_cpu::lane();
  std::memcpy(cuda_on_cpu::exchange_slot(lane), &mine, sizeof mine);
  cuda_on_cpu::warp_barrier(4);
  const auto of = [](int other) {
    Operands operands;
    std::memcpy(&operands, cuda_on_cpu::exchange_slot(other), sizeof operands);
    return operands;
  };
  // These lanes hold element (row, k) of a and (k, column) of b (PTX ISA, mma.m16n8k16).
  for (int e = 0; e < 4; ++e) {
    const int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
    for (int k = 0; k < 16; ++k) {
      const Operands left = of(row % 8 * 4 + k % 8 / 2), right = of(column * 4 + k % 8 / 2);
      const uint32_t a_pairs[] = {left.a.x, left.a.y, left.a.z, left.a.w};
      const uint32_t a_pair = a_pairs[k / 8 * 2 + row / 8];
      c[e] = fmaf(upper_or_lower(a_pair, k % 2), upper_or_lower(k < 8 ? right.b0 : right.b1, k % 2),
                  c[e]);
    }
  }
  cuda_on_cpu::warp_barrier(4);
}

}  // namespace bifrons::cuda
