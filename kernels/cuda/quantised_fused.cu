// Products of quantised weights with an epilogue in pairs.
#include "kernels/cuda/norm_gemm_kernel.h"
#include "kernels/cuda/quantised_products.h"
#include "kernels/cuda/quantised_weights.h"

namespace bifrons::cuda {

template <typename Pair>
void norm_pairs_of_format(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const Pair& pair) {
  if (weight.format == LinearFormat::kInt8) {
    return norm_pairs(s, x, norm, eps, quantised_weights<LinearFormat::kInt8>(weight), pair);
  }
  norm_pairs(s, x, norm, eps, quantised_weights<LinearFormat::kInt4>(weight), pair);
}

template <typename Pair>
void gemm_pairs_of_format(Stream& s, const Tensor& x, const Linear& weight, const Pair& pair) {
  if (weight.format == LinearFormat::kInt8) {
    return gemm_pairs(s, x, quantised_weights<LinearFormat::kInt8>(weight), pair);
  }
  gemm_pairs(s, x, quantised_weights<LinearFormat::kInt4>(weight), pair);
}

void quantised_norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const SwigluPair& pair) {
  norm_pairs_of_format(s, x, norm, eps, weight, pair);
}

void quantised_norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const RopePair& pair) {
  norm_pairs_of_format(s, x, norm, eps, weight, pair);
}

void quantised_norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const GeluPair& pair) {
  check(weight.format == LinearFormat::kInt8, "norm_linear_gelu: no kernel for this format");
  norm_pairs(s, x, norm, eps, quantised_weights<LinearFormat::kInt8>(weight), pair);
}

void quantised_gemm_pairs(Stream& s, const Tensor& x, const Linear& weight,
                          const SwigluPair& pair) {
  gemm_pairs_of_format(s, x, weight, pair);
}

void quantised_gemm_pairs(Stream& s, const Tensor& x, const Linear& weight, const RopePair& pair) {
  gemm_pairs_of_format(s, x, weight, pair);
}

}  // namespace bifrons::cuda
