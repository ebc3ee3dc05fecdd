// Upsampling by two, and conversion of activations to bytes.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/ops.h"
#include "kernels/pictures.h"

namespace bifrons::cuda {

constexpr int kPictureThreads = 256;

inline Grid over_all(int64_t n) {
  return {dim3(static_cast<unsigned>(ceil_div(n, kPictureThreads))), dim3(kPictureThreads)};
}

__device__ inline int64_t my_index() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }

// One thread per unit of y; y has n units, a pixel has `units`. Pictures one below the other are
// upsampled like one tall picture. 32-bit integers: a 64-bit division
// takes about a hundred instructions.
template <typename Unit>
__global__ void upsample2x_kernel(Unit* y, const Unit* x, uint32_t n, uint32_t width,
                                  uint32_t units) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const uint32_t pixel = i / units, h = pixel / (2 * width), w = pixel - h * 2 * width;
  y[i] = x[(h / 2 * width + w / 2) * units + (i - pixel * units)];
}

void upsample2x(Stream& s, const Tensor& y, const Tensor& x) {
  if (y.count() == 0) return;
  const int64_t bytes = x.cols() * size_of(x.dtype);
  const auto run = [&](auto unit) {
    using Unit = decltype(unit);
    const int64_t units = bytes / static_cast<int64_t>(sizeof(Unit)), n = 4 * x.rows() * units;
    check(n <= INT32_MAX, "upsample2x: at most 2^31 - 1 units");
    launch(s.handle, upsample2x_kernel<Unit>, over_all(n), y.as<Unit>(),
           static_cast<const Unit*>(x.data), static_cast<uint32_t>(n),
           static_cast<uint32_t>(x.shape[x.rank - 2]), static_cast<uint32_t>(units));
  };
  const auto addresses = reinterpret_cast<uintptr_t>(x.data) | reinterpret_cast<uintptr_t>(y.data);
  (bytes | static_cast<int64_t>(addresses)) % 16 == 0 ? run(uint4{}) : run(uint16_t{});
}

// blockIdx.y is the picture, of n elements.
template <typename T>
__global__ void to_pixels_kernel(uint8_t* pixels, int32_t* not_finite, const T* x, int64_t n) {
  if (my_index() >= n) return;
  const int64_t i = blockIdx.y * n + my_index();
  const float signal = to_float(x[i]);
  if (!is_finite(signal))
    not_finite[blockIdx.y] = 1;  // by whichever thread: they all write the same
  const float value = (signal + 1.0f) / 2.0f * 255.0f;
  // Written so that a NaN fails the first comparison and becomes 0.
  const float low = value > 0.0f ? value : 0.0f;
  pixels[i] = static_cast<uint8_t>(static_cast<int>(low < 255.0f ? low : 255.0f));
}

void to_pixels(Stream& s, const Tensor& pixels, const Tensor& x, const Tensor& not_finite) {
  if (x.count() == 0) return;
  const int64_t pictures = picture_count(x), n = x.count() / pictures;
  check(pictures <= 65535, "to_pixels: at most 65535 pictures");
  Grid grid = over_all(n);
  grid.blocks.y = static_cast<unsigned>(pictures);
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    launch(s.handle, to_pixels_kernel<T>, grid, pixels.as<uint8_t>(), not_finite.as<int32_t>(),
           static_cast<const T*>(x.data), n);
  });
}

}  // namespace bifrons::cuda
