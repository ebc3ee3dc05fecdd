// Products with quantised weights: what linear.cu and fused.cu call for them. The kernels are those
// of bf16 weights with another loader (quantised_weights.h); they stand in files of their own, so
// that they compile in parallel.
#pragma once

#include "kernels/cuda/pair_epilogues.h"

namespace bifrons::cuda {

// quantised_linear.cu: the epilogue has the sizes of y. bf16 x goes to tensor cores, f32 x to the
// SIMT kernel.
void quantised_linear(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<Bf16>& epilogue);
void quantised_linear(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<float>& epilogue);

// quantised_fused.cu: as norm_pairs() and gemm_pairs(). GELU is for int8 only: the head that needs
// it keeps eight bits.
void quantised_norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const SwigluPair& pair);
void quantised_norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const RopePair& pair);
void quantised_norm_pairs(Stream& s, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const GeluPair& pair);
void quantised_gemm_pairs(Stream& s, const Tensor& x, const Linear& weight, const SwigluPair& pair);
void quantised_gemm_pairs(Stream& s, const Tensor& x, const Linear& weight, const RopePair& pair);

}  // namespace bifrons::cuda
