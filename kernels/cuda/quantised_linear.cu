// Linear layers with quantised weights, on tensor cores for bf16 activations.
#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/gemm_simt.h"
#include "kernels/cuda/quantised_products.h"
#include "kernels/cuda/quantised_weights.h"
#include "kernels/cuda/streaming_kernel.h"

namespace bifrons::cuda {

// The tiled GEMM has a kernel for what models need: bf16 results, and f32 logits of int8 weights,
// whose many outputs fill a GPU without split-K. All else streams the weights for every 16 columns,
// with the same bits.
template <LinearFormat kIs, typename T>
void quantised_on_tensor_cores(Stream& s, const Linear& weight, const Tensor& x,
                               const Epilogue<T>& epilogue) {
  const auto weights = quantised_weights<kIs>(weight);
  const RowsOperand rows{x.as<Bf16>(), x.pitch, x.rows(), x.cols(), in_vectors(x)};
  if (epilogue.n <= 8) return stream_weights<1>(s, weights, rows, epilogue);
  constexpr bool kLogits = std::is_same_v<T, float>;
  if constexpr (!kLogits || kIs == LinearFormat::kInt8) {
    if (epilogue.n > 16 && rows.whole()) {
      return gemm<!kLogits>(s, weights, rows, epilogue, x.cols());
    }
  }
  stream_weights<2>(s, weights, rows, epilogue);
}

template <typename T>
void linear_of_format(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<T>& epilogue) {
  if (weight.format == LinearFormat::kInt8) {
    return quantised_on_tensor_cores<LinearFormat::kInt8>(s, weight, x, epilogue);
  }
  quantised_on_tensor_cores<LinearFormat::kInt4>(s, weight, x, epilogue);
}

void quantised_linear(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<Bf16>& epilogue) {
  check(x.dtype == DType::kBf16, "linear: bf16 results need bf16 activations");
  linear_of_format(s, weight, x, epilogue);
}

void quantised_linear(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<float>& epilogue) {
  if (x.dtype == DType::kBf16) return linear_of_format(s, weight, x, epilogue);
  const SimtRows<float> rows{x.as<float>(), x.pitch};
  if (weight.format == LinearFormat::kInt8) {
    return simt_gemm(s.handle, quantised_weights<LinearFormat::kInt8>(weight), rows, epilogue,
                     x.cols());
  }
  simt_gemm(s.handle, quantised_weights<LinearFormat::kInt4>(weight), rows, epilogue, x.cols());
}

}  // namespace bifrons::cuda
