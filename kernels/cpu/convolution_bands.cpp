// Cuts pictures into bands of rows; converts weights from files.
#include "kernels/cpu/convolution_bands.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/memory.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {

std::vector<Band> cut_bands(const Taps& taps, int64_t height, int64_t out_height, int64_t out_width,
                            int64_t pixels) {
  constexpr int64_t kLeastBands = 8;
  const int64_t eighth = (out_height + kLeastBands - 1) / kLeastBands;
  const int64_t rows = std::max<int64_t>(1, std::min(eighth, pixels / out_width));
  std::vector<Band> bands;
  for (int64_t first = 0; first < out_height; first += rows) {
    Band band;
    band.first = first;
    band.rows = std::min(rows, out_height - first);
    const int64_t begin = first * taps.stride - taps.before;
    const int64_t end = begin + (band.rows - 1) * taps.stride + taps.kernel;
    band.input_first = std::max<int64_t>(begin, 0);
    band.input_rows = std::min(end, height) - band.input_first;
    band.above = band.input_first - begin;
    band.below = std::max<int64_t>(end - height, 0);
    bands.push_back(band);
  }
  return bands;
}

float widened(const HostArray& array, int64_t i) {
  float value = 0.0f;
  visit_stored(array.dtype, [&](auto element) {
    std::memcpy(&element, array.data + i * static_cast<int64_t>(sizeof(element)), sizeof(element));
    value = to_float(element);
  });
  return value;
}

Buffer widened_bias(const HostArray& bias) {
  const int64_t n = bias.rows * bias.cols;
  Buffer buffer = allocate_host(n * size_of(DType::kF32));
  for (int64_t i = 0; i < n; ++i) static_cast<float*>(buffer.data())[i] = widened(bias, i);
  return buffer;
}

void add_in_place(void* to, const void* residual, DType dtype, int64_t n) {
  visit_activation(dtype, [&](auto element) {
    using T = decltype(element);
    T* y = static_cast<T*>(to);
    const T* x = static_cast<const T*>(residual);
    vectorised([=]() __attribute__((always_inline)) {
      for (int64_t i = 0; i < n; ++i) y[i] = round_to<T>(to_float(y[i]) + to_float(x[i]));
    });
  });
}

}  // namespace bifrons::cpu
