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

// These lanes hold element (row, k) of a and (k, column) of b (PTX ISA, mma.m16n8k16).
inline void mma_m16n8k16(float (&c)[4], const uint4& a, uint32_t b0, uint32_t b1) {
  const int lane = cuda_on_cpu::lane();
  cuda_on_cpu::ExchangeSlots& slots = cuda_on_cpu::exchange_slots();
  slots.write(lane, Operands{a, b0, b1});
  cuda_on_cpu::warp_barrier(4);
  float rows[2][16], columns[2][16];  // that this lane multiplies
  for (int k = 0; k < 16; ++k) {
    const auto left = slots.read<Operands>(lane / 4 * 4 + k % 8 / 2);
    rows[0][k] = upper_or_lower(k < 8 ? left.a.x : left.a.z, k % 2);
    rows[1][k] = upper_or_lower(k < 8 ? left.a.y : left.a.w, k % 2);
    for (int j = 0; j < 2; ++j) {
      const auto right = slots.read<Operands>((lane % 4 * 2 + j) * 4 + k % 8 / 2);
      columns[j][k] = upper_or_lower(k < 8 ? right.b0 : right.b1, k % 2);
    }
  }
  for (int e = 0; e < 4; ++e) {
    for (int k = 0; k < 16; ++k) c[e] = fmaf(rows[e / 2][k], columns[e % 2][k], c[e]);
  }
}

}  // namespace bifrons::cuda
