// e^x in plain arithmetic that compilers can vectorise; the same bits at every vector width.
#pragma once

#include <cstdint>

namespace bifrons::cpu {

// Relative error below 2^-22. Zero below -87.3 and infinity above 88.3 (near the limits of f32);
// NaN stays NaN. It is static so that every translation unit keeps its own copy, see
// kernels/cpu/isa.h.
static inline float exponential(float x) {
  constexpr float kShift = 0x1.8p23f;  // after adding it, the low bits hold the nearest integer
  const float shifted = x * 0x1.715476p+0f + kShift;
  const float n = shifted - kShift;
  // x - n ln 2 in two steps; the first product is exact.
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t power = (__builtin_bit_cast(uint32_t, shifted) << 23) + 0x3f800000u;
  const float result = p * __builtin_bit_cast(float, power);
  return x < -87.3f ? 0.0f : x > 88.3f ? __builtin_inff() : result;
}

}  // namespace bifrons::cpu
