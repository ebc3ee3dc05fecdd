// Products with quantised weights: what linear.cu calls for them. The kernels are those of bf16
// weights with another loader (quantised_weights.h); they stand in a file of their own, so that
// they compile in parallel.
#pragma once

#include "kernels/cuda/gemm_operands.h"

namespace bifrons::cuda {

// quantised_linear.cu: the epilogue has the sizes of y. bf16 x goes to tensor cores, f32 x to the
// SIMT kernel.
void quantised_linear(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<Bf16>& epilogue);
void quantised_linear(Stream& s, const Linear& weight, const Tensor& x,
                      const Epilogue<float>& epilogue);

}  // namespace bifrons::cuda
