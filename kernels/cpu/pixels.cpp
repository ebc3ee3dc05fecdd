// Upsampling by two, and conversion of activations to bytes.
#include <atomic>
#include <cstring>

#include "kernels/cpu/ops.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

// Returns whether all n elements are finite.
template <typename T>
bool row_to_pixels(uint8_t* to, const T* from, int64_t n) {
  uint32_t bad = 0;
  vectorised([&bad, to, from, n ]() __attribute__((always_inline)) {
    uint32_t any = 0;
    for (int64_t i = 0; i < n; ++i) {
      const float signal = to_float(from[i]);
      any |= is_finite(signal) ? 0u : 1u;
      const float value = (signal + 1.0f) / 2.0f * 255.0f;
      // Written so that a NaN fails the first comparison and becomes 0.
      const float low = value > 0.0f ? value : 0.0f;
      to[i] = static_cast<uint8_t>(static_cast<int32_t>(low < 255.0f ? low : 255.0f));
    }
    bad = any;
  });
  return bad == 0;
}

}  // namespace

void upsample2x(ThreadPool& pool, const Tensor& y, const Tensor& x) {
  const int64_t height = x.shape[0], width = x.shape[1];
  const int64_t bytes = x.cols() * size_of(x.dtype);
  pool.run(height, [&](int64_t h) {
    for (int64_t w = 0; w < width; ++w) {
      const std::byte* from = x.row(h * width + w);
      std::memcpy(y.row(4 * h * width + 2 * w), from, bytes);
      std::memcpy(y.row(4 * h * width + 2 * w + 1), from, bytes);
    }
    for (int64_t w = 0; w < 2 * width; ++w) {
      std::memcpy(y.row((4 * h + 2) * width + w), y.row(4 * h * width + w), bytes);
    }
  });
}

void to_pixels(ThreadPool& pool, const Tensor& pixels, const Tensor& x, const Tensor& not_finite) {
  const int64_t width = x.shape[1];
  pool.run(x.shape[0], [&](int64_t h) {
    const bool dense = x.contiguous() && pixels.contiguous();
    const int64_t pieces = dense ? 1 : width, n = dense ? width * x.cols() : x.cols();
    for (int64_t piece = 0; piece < pieces; ++piece) {
      uint8_t* to = reinterpret_cast<uint8_t*>(pixels.row(h * width + piece));
      const std::byte* from = x.row(h * width + piece);
      visit_activation(x.dtype, [&](auto element) {
        if (row_to_pixels(to, reinterpret_cast<const decltype(element)*>(from), n)) return;
        // Rows are shared among threads.
        std::atomic_ref(*not_finite.as<int32_t>()).store(1, std::memory_order_relaxed);
      });
    }
  });
}

}  // namespace bifrons::cpu
