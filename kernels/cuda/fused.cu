// Fused kernels for decode steps, where the time between two kernels counts. With few columns:
// rms_norm, product and an epilogue (RoPE, SwiGLU, GELU) in the kernel that streams the weights; a
// block computes a pair of tiles. With more: product and epilogue in the tiled GEMM. There the norm
// stays a kernel of its own: as a part of the product every block would read all columns twice.
#include "kernels/cuda/norm_gemm_kernel.h"
#include "kernels/cuda/quantised_products.h"

namespace bifrons::cuda {

bool on_tensor_cores(const Tensor& x, const Linear& weight) {
  const bool takes = weight.format != LinearFormat::kStored || weight.dtype == DType::kBf16;
  return takes && x.dtype == DType::kBf16 && x.rows() > 0 && in_vectors(x) && x.cols() % 8 == 0;
}

TiledWeights tiled(const Linear& weight) {
  return {static_cast<const uint4*>(weight.storage.data()), weight.out / kTileOut,
          ceil_div(weight.in, kTileIn)};
}

// rms_norm, product and epilogue for few columns.
template <typename Pair>
bool norm_linear(Stream& s, const Tensor& x, const Norm& norm, double eps, const Linear& weight,
                 const Pair& pair) {
  if (weight.format == LinearFormat::kStored) {
    norm_pairs(s, x, norm, eps, tiled(weight), pair);
  } else {
    quantised_norm_pairs(s, x, norm, eps, weight, pair);
  }
  return true;
}

// Product and epilogue for more columns; x is normed.
template <typename Pair>
bool linear_pairs(Stream& s, const Tensor& x, const Linear& weight, const Pair& pair) {
  if (weight.format == LinearFormat::kStored) {
    gemm_pairs(s, x, tiled(weight), pair);
  } else {
    quantised_gemm_pairs(s, x, weight, pair);
  }
  return true;
}

bool in_pairs(const Tensor& x, const Linear& weight) {
  return on_tensor_cores(x, weight) && weight.out % (2 * kTileOut) == 0;
}

SwigluPair swiglu_pair(const Tensor& y, const Linear& weight) {
  return {y.as<Bf16>(), y.pitch, weight.out, y.rows(),
          static_cast<const float*>(weight.bias.data())};
}

bool norm_linear_swiglu(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                        const Linear& weight) {
  if (x.rows() > kFewColumns || !in_pairs(x, weight)) return false;
  return norm_linear(s, x, norm, eps, weight, swiglu_pair(y, weight));
}

bool linear_swiglu(Stream& s, const Tensor& y, const Tensor& x, const Linear& weight) {
  return in_pairs(x, weight) && linear_pairs(s, x, weight, swiglu_pair(y, weight));
}

bool norm_linear_gelu(Stream& s, const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                      const Linear& weight) {
  if (y.dtype != DType::kBf16 || x.rows() > kFewColumns || !in_pairs(x, weight)) return false;
  if (weight.format == LinearFormat::kInt4) return false;  // quantised_products.h
  return norm_linear(s, x, norm, eps, weight,
                     GeluPair{y.as<Bf16>(), y.pitch, weight.out, y.rows(),
                              static_cast<const float*>(weight.bias.data())});
}

// Not for a cache in 8 bits: a block has two tiles of a head, and the scale depends on all of it.
bool can_rope(const KvCache& cache, const Tensor& x, const Linear& weight) {
  return !cache.int8_kv() && on_tensor_cores(x, weight) && cache.head_dim() / 2 % kTileOut == 0 &&
         weight.out <= INT32_MAX;
}

RopePair rope_pair(const Tensor& q, const KvCache& cache, const Linear& weight,
                   const RopeTable& rope, const TokenRows& rows) {
  return {.q = q.as<Bf16>(),
          .k = cache.k.as<Bf16>(),
          .v = cache.v.as<Bf16>(),
          .q_pitch = q.pitch,
          .m = weight.out,
          .n = q.rows(),
          .pages = Pages::of(cache),
          .heads = static_cast<int>(q.cols() / cache.head_dim()),
          .size = static_cast<int>(cache.head_dim()),
          .cos = rope.cos.as<float>(),
          .sin = rope.sin.as<float>(),
          .cos_pitch = rope.cos.pitch,
          .sin_pitch = rope.sin.pitch,
          .sequence = rows.sequence.as<int32_t>(),
          .position = rows.position.as<int32_t>(),
          .bias = static_cast<const float*>(weight.bias.data())};
}

bool norm_linear_rope(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& x,
                      const Norm& norm, double eps, const Linear& weight, const RopeTable& rope,
                      const TokenRows& rows) {
  if (x.rows() > kFewColumns || !can_rope(cache, x, weight)) return false;
  return norm_linear(s, x, norm, eps, weight, rope_pair(q, cache, weight, rope, rows));
}

bool linear_rope(Stream& s, const Tensor& q, const KvCache& cache, const Tensor& x,
                 const Linear& weight, const RopeTable& rope, const TokenRows& rows) {
  return can_rope(cache, x, weight) &&
         linear_pairs(s, x, weight, rope_pair(q, cache, weight, rope, rows));
}

}  // namespace bifrons::cuda
