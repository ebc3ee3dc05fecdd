// Convolution as an implicit GEMM of the weights and the pixels under their taps; no library
// needed. Pictures of one call are GEMMs of one launch, each with the sums of a picture alone.
#include <algorithm>

#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/gemm_simt.h"
#include "kernels/cuda/launch.h"
#include "kernels/pictures.h"

namespace bifrons::cuda {

void convolution(Stream& s, const Tensor& y, const Tensor& x, const Convolution& weight,
                 const Tensor* residual) {
  if (y.count() == 0) return;
  const int64_t stride = weight.padding == Padding::kRightBottom ? 2 : 1;
  const int64_t before = weight.padding == Padding::kSame ? 1 : 0;
  const int64_t k = weight.in * weight.kernel * weight.kernel;
  const int64_t pictures = picture_count(x);
  const Tensor one_x = picture_of(x, 0), one_y = picture_of(y, 0);
  check(pictures <= 65535, "conv2d: at most 65535 pictures");
  visit_activation(x.dtype, [&](auto element) {
    using T = decltype(element);
    const Epilogue<T> epilogue{.y = y.as<T>(),
                               .pitch = y.cols(),
                               .m = y.cols(),
                               .n = one_y.rows(),
                               .bias = static_cast<const float*>(weight.bias.data()),
                               .residual = residual ? residual->as<T>() : nullptr,
                               .residual_pitch = y.cols()};
    if constexpr (std::is_same_v<T, Bf16>) {
      if (weight.dtype == DType::kBf16) {
        const TiledWeights weights{static_cast<const uint4*>(weight.storage.data()),
                                   ceil_div(weight.out, kTileOut), ceil_div(k, kTileIn)};
        check(std::max(one_x.rows(), one_y.rows()) <= INT32_MAX && k <= INT32_MAX,
              "conv2d: at most 2^31 - 1 pixels");
        const auto whole = [](int64_t n) { return static_cast<int32_t>(n); };
        const PatchOperand patches{.data = x.as<Bf16>(),
                                   .height = whole(one_x.shape[0]),
                                   .width = whole(one_x.shape[1]),
                                   .channels = whole(weight.in),
                                   .out_width = whole(one_y.shape[1]),
                                   .rows = whole(one_y.rows()),
                                   .kernel = whole(weight.kernel),
                                   .stride = whole(stride),
                                   .before = whole(before),
                                   .k = whole(k),
                                   .vectors = weight.in % 8 == 0 && in_vectors(x)};
        const Pictures each{static_cast<int>(pictures), one_x.count(), one_y.count()};
        return gemm(s, weights, patches, epilogue, k, each);
      }
    }
    visit_stored(weight.dtype, [&](auto stored) {
      using W = decltype(stored);
      const SimtWeights<W> weights{static_cast<const W*>(weight.storage.data()), weight.out,
                                   ceil_div(k, kTileIn)};
      for (int64_t p = 0; p < pictures; ++p) {
        const SimtPatches<T> patches{x.as<T>() + p * one_x.count(),
                                     one_x.shape[0],
                                     one_x.shape[1],
                                     weight.in,
                                     one_y.shape[1],
                                     weight.kernel,
                                     stride,
                                     before};
        Epilogue<T> shifted = epilogue;
        shifted.y += p * one_y.count();
        if (residual) shifted.residual += p * one_y.count();
        simt_gemm(s.handle, weights, patches, shifted, k);
      }
    });
  });
}

}  // namespace bifrons::cuda
