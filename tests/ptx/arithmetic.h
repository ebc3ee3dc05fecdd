// Arithmetic instructions (without memory), for all lanes of a warp at once.
#pragma once

#include <bit>

#include "tests/ptx/instruction.h"

namespace ptx {

// The function of an arithmetic instruction; null if it has none for its types.
Execute select_arithmetic(const Instruction& instruction);

// The same for cvt (conversions.cpp).
Execute select_conversion(const Instruction& instruction);

// The same for instructions of three sources that no operator of C++ has: fma of pairs of bf16, and
// lop3 (three_sources.cpp).
Execute select_three_sources(const Instruction& instruction);

// The bits of x in bf16, to nearest even; NaN becomes the one of the GPU.
inline uint32_t bf16_of(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return x == x ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : 0x7fff;
}

}  // namespace ptx
