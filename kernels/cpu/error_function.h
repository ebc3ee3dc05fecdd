// erf(x) in plain arithmetic that compilers can vectorise; the same bits at every vector width.
#pragma once

#include "kernels/cpu/exponential.h"

namespace bifrons::cpu {

// Absolute error below 2^-22. Near zero it is an odd polynomial, elsewhere 1 - exp of a polynomial;
// the coefficients are from N. Juffa's single-precision erf. It is static for the reason in
// kernels/cpu/exponential.h.
static inline float error_function(float x) {
  const float t = __builtin_fabsf(x);
  const float s = x * x;

  float near = -5.96761703e-4f;
  near = near * s + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  near = near * x + x;

  float far = (-1.72853470e-5f * t + 3.83197126e-4f) * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  far = far * t - 1.06777877e-1f;
  far = far * t - 6.34846687e-1f;
  far = far * t - 1.28717512e-1f;
  far = far * t - t;
  far = 1.0f - exponential(far);

  return t > 0.927734375f ? (x < 0.0f ? -far : far) : near;
}

}  // namespace bifrons::cpu
