// Ops with little work per row: plain loops, rounding points as in kernels/backend.h.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/error_function.h"
#include "kernels/cpu/exponential.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

template <typename To, typename From>
void convert_row(To* to, const From* from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = round_to<To>(to_float(from[i]));
}

// The sum of n terms in sixteen partial sums of fixed order, so that the loop vectorises.
template <typename Term>
[[gnu::always_inline]] inline float sum_of_partials(int64_t n, const Term& term) {
  constexpr int kPartials = 16;
  float partial[kPartials] = {};
  int64_t i = 0;
  for (; i + kPartials <= n; i += kPartials) {
    for (int s = 0; s < kPartials; ++s) partial[s] += term(i + s);
  }
  for (int s = 0; i < n; ++i, ++s) partial[s] += term(i);
  for (int half = kPartials / 2; half > 0; half /= 2) {
    for (int s = 0; s < half; ++s) partial[s] += partial[s + half];
  }
  return partial[0];
}

}  // namespace

void gather(const Tensor& y, const Table& table, const Tensor& ids) {
  const Tensor rows = table.tensor();
  for (int64_t m = 0; m < y.rows(); ++m) {
    const int64_t id = std::max(ids.as<int32_t>()[m], 0);
    check(id < table.rows, "gather: an id is past the end of the table");
    if (rows.dtype == y.dtype) {
      std::memcpy(y.row(m), rows.row(id), y.cols() * size_of(y.dtype));
      continue;
    }
    visit_activation(y.dtype, [&]<typename To>(To) {
      visit_stored(rows.dtype, [&]<typename From>(From) {
        convert_row(reinterpret_cast<To*>(y.row(m)), reinterpret_cast<const From*>(rows.row(id)),
                    y.cols());
      });
    });
  }
}

void rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  const auto* weight = static_cast<const float*>(norm.weight.data());
  const int64_t n = x.cols();
  visit_activation(x.dtype, [&]<typename T>(T) {
    for (int64_t m = 0; m < x.rows(); ++m) {
      const T* from = reinterpret_cast<const T*>(x.row(m));
      T* to = reinterpret_cast<T*>(y.row(m));
      vectorised([=]() __attribute__((always_inline)) {
        const float square = sum_of_partials(
            n, [=](int64_t i) __attribute__((always_inline)) {
              return to_float(from[i]) * to_float(from[i]);
            });
        const float mean = square / static_cast<float>(n);
        const float scale = 1.0f / __builtin_sqrtf(mean + static_cast<float>(eps));
        for (int64_t i = 0; i < n; ++i) {
          const float normed = to_float(round_to<T>(to_float(from[i]) * scale));
          to[i] = round_to<T>(normed * weight[i]);
        }
      });
    }
  });
}

void layer_norm(ThreadPool& pool, const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  const auto* weight = static_cast<const float*>(norm.weight.data());
  const auto* bias = static_cast<const float*>(norm.bias.data());
  const int64_t n = x.cols();
  visit_activation(x.dtype, [&]<typename T>(T) {
    pool.run(x.rows(), [&](int64_t m) {
      const T* from = reinterpret_cast<const T*>(x.row(m));
      T* to = reinterpret_cast<T*>(y.row(m));
      vectorised([=]() __attribute__((always_inline)) {
        const float mean =
            sum_of_partials(
                n, [=](int64_t i) __attribute__((always_inline)) { return to_float(from[i]); }) /
            static_cast<float>(n);
        const float variance = sum_of_partials(
                                   n,
                                   [=](int64_t i) __attribute__((always_inline)) {
                                     const float d = to_float(from[i]) - mean;
                                     return d * d;
                                   }) /
                               static_cast<float>(n);
        const float scale = 1.0f / __builtin_sqrtf(variance + static_cast<float>(eps));
        for (int64_t i = 0; i < n; ++i) {
          to[i] = round_to<T>((to_float(from[i]) - mean) * scale * weight[i] + bias[i]);
        }
      });
    });
  });
}

void swiglu(ThreadPool& pool, const Tensor& y, const Tensor& gate_up) {
  const int64_t n = y.cols();
  visit_activation(y.dtype, [&]<typename T>(T) {
    run_rows(pool, y.rows(), [&](int64_t m) {
      const T* gate = reinterpret_cast<const T*>(gate_up.row(m));
      const T* up = gate + n;
      T* to = reinterpret_cast<T*>(y.row(m));
      vectorised([=]() __attribute__((always_inline)) {
        for (int64_t i = 0; i < n; ++i) {
          const float g = to_float(gate[i]);
          const float silu = to_float(round_to<T>(g / (1.0f + exponential(-g))));
          to[i] = round_to<T>(silu * to_float(up[i]));
        }
      });
    });
  });
}

void gelu(ThreadPool& pool, const Tensor& y, const Tensor& x) {
  visit_activation(x.dtype, [&]<typename T>(T) {
    pool.run(x.rows(), [&](int64_t m) {
      const T* from = reinterpret_cast<const T*>(x.row(m));
      T* to = reinterpret_cast<T*>(y.row(m));
      const int64_t n = x.cols();
      vectorised([=]() __attribute__((always_inline)) {
        for (int64_t i = 0; i < n; ++i) {
          const float v = to_float(from[i]);
          to[i] = round_to<T>(v * 0.5f * (1.0f + error_function(v * 0x1.6a09e6p-1f)));
        }
      });
    });
  });
}

void advance(const Tensor& counters) {
  for (int64_t m = 0; m < counters.rows(); ++m) {
    auto* row = reinterpret_cast<int32_t*>(counters.row(m));
    for (int64_t i = 0; i < counters.cols(); ++i) ++row[i];
  }
}

}  // namespace bifrons::cpu
