// Loops over rows written once for every element type.
#pragma once

#include "kernels/dtype.h"
#include "kernels/error.h"

namespace bifrons::cpu {

constexpr float to_float(float x) { return x; }
using bifrons::to_float;

// x rounded once to T.
template <typename T>
constexpr T round_to(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return x;
  } else {
    return to_bf16(x);
  }
}

// Calls body(T{}) with the type of an activation.
template <typename Body>
void visit_activation(DType dtype, const Body& body) {
  check(dtype == DType::kF32 || dtype == DType::kBf16, "activations are f32 or bf16");
  if (dtype == DType::kF32) return body(float{});
  body(Bf16{});
}

// The same for everything a weight is stored in.
template <typename Body>
void visit_stored(DType dtype, const Body& body) {
  if (dtype == DType::kF16) return body(F16{});
  visit_activation(dtype, body);
}

}  // namespace bifrons::cpu
