// Linear layers, y = x W^T. With few rows of x a streaming kernel reads every weight once; with
// many rows it is a tiled GEMM (gemm_kernel.h). bf16 uses tensor cores, other types SIMT.
#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/gemm_simt.h"
#include "kernels/cuda/quantised_products.h"
#include "kernels/cuda/streaming_kernel.h"

namespace bifrons::cuda {

int code_generation() {
  cudaFuncAttributes attributes{};
  const auto kernel = streaming_kernel<1, TiledWeights, RowsOperand, Bf16>;
  must(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel)),
       "looking for its code");
  return attributes.ptxVersion;
}

template <typename T>
void linear_on_tensor_cores(Stream& s, const Linear& weight, const Tensor& x,
                            const Epilogue<T>& epilogue) {
  const TiledWeights weights{static_cast<const uint4*>(weight.storage.data()),
                             ceil_div(weight.out, kTileOut), ceil_div(weight.in, kTileIn)};
  const RowsOperand rows{x.as<Bf16>(), x.pitch, x.rows(), x.cols(), in_vectors(x)};
  if (epilogue.n <= 8) return stream_weights<1>(s, weights, rows, epilogue);
  if (epilogue.n <= 16) return stream_weights<2>(s, weights, rows, epilogue);
  gemm<true>(s, weights, rows, epilogue, x.cols());
}

void linear(Stream& s, const Tensor& y, const Tensor& x, const Linear& weight, bool add) {
  if (y.count() == 0) return;
  visit_activation(y.dtype, [&](auto result) {
    using To = decltype(result);
    const Epilogue<To> epilogue{.y = y.as<To>(),
                                .pitch = y.pitch,
                                .m = y.cols(),
                                .n = y.rows(),
                                .bias = static_cast<const float*>(weight.bias.data()),
                                .residual = add ? y.as<To>() : nullptr,
                                .residual_pitch = y.pitch};
    if (weight.format != LinearFormat::kStored) return quantised_linear(s, weight, x, epilogue);
    if (weight.dtype == DType::kBf16 && x.dtype == DType::kBf16) {
      return linear_on_tensor_cores(s, weight, x, epilogue);
    }
    visit_stored(weight.dtype, [&](auto stored) {
      visit_activation(x.dtype, [&](auto element) {
        using W = decltype(stored);
        using X = decltype(element);
        const SimtWeights<W> weights{static_cast<const W*>(weight.storage.data()), weight.out,
                                     ceil_div(weight.in, kTileIn)};
        simt_gemm(s.handle, weights, SimtRows<X>{x.as<X>(), x.pitch}, epilogue, x.cols());
      });
    });
  });
}

}  // namespace bifrons::cuda
