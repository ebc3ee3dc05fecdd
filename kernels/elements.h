// Helpers for loops that are written once for every element type, on the host and in kernels.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/error.h"

namespace bifrons {

constexpr float to_float(float x) { return x; }

// Neither NaN nor infinite; in integers, which loops and kernels do with as many as they have.
constexpr bool is_finite(float x) {
  constexpr uint32_t kExponent = 0x7f800000u;
  return (std::bit_cast<uint32_t>(x) & kExponent) != kExponent;
}

// x rounded once to T: float or Bf16.
template <typename T>
constexpr T round_to(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return x;
  } else {
    return to_bf16(x);
  }
}

// x with the precision of T.
template <typename T>
constexpr float rounded(float x) {
  return to_float(round_to<T>(x));
}

// Calls body(T{}) with the type of an activation; host code.
template <typename Body>
void visit_activation(DType dtype, const Body& body) {
  check(dtype == DType::kF32 || dtype == DType::kBf16, "activations are f32 or bf16");
  if (dtype == DType::kF32) return body(float{});
  body(Bf16{});
}

// The same for every dtype in which weights are stored: f32, bf16, f16.
template <typename Body>
void visit_stored(DType dtype, const Body& body) {
  if (dtype == DType::kF16) return body(F16{});
  visit_activation(dtype, body);
}

}  // namespace bifrons
