// The oracle: every op of kernels/backend.h, implemented in double precision with simple loops. It
// shares no code with the kernels. It only rounds where the contract of an op requires it. Results
// are not rounded, so a test compares them within half a rounding step of the dtype.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/dtype.h"
#include "kernels/weights.h"

namespace bifrons::reference {

using Values = std::vector<double>;

// Rounds to the nearest number of a dtype (f32, bf16, f16), ties to even.
double rounded(double x, DType dtype);

// x and results are [rows, cols], row-major.
Values gather(const Values& table, int64_t cols, const Values& ids);
Values rms_norm(const Values& x, const Values& weight, double eps, DType dtype);
Values layer_norm(const Values& x, const Values& weight, const Values& bias, double eps);
Values linear(const Values& x, const Values& weight, const Values& bias, int64_t in, int64_t out);
Values linear_add(const Values& y, const Values& x, const Values& weight, const Values& bias,
                  int64_t in, int64_t out, DType dtype);
// The numbers of a quantised matrix [rows, cols] in the order of its file.
Values dequantised(const QuantisedArray& matrix);
Values swiglu(const Values& gate_up, int64_t half, DType dtype);
Values gelu(const Values& x);
// Pictures of `rows` rows, the last one unconditional; scale [P, rows - 1].
Values guide(const Values& logits, const Values& scale, int64_t codes, int64_t rows = 2);

// Shape of a cache [sequences, kv_heads, capacity, size], and of the rows that use it.
struct Heads {
  int64_t sequences = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t capacity = 0;
  int64_t size = 0;
};

// A key or value of a head as the KV cache keeps it in 8 bits. The scale and its inverse are f32
// numbers, and so is the product that is rounded to a code. Elements that are not finite: see
// KvCache.
struct Int8Head {
  double scale = 0;
  Values codes;
};
Int8Head to_int8(const Values& elements);
// A cache with every head, an array of `size` elements, as scale * code. What begins with NaN
// stays.
Values through_int8(const Values& cache, int64_t size);

// Changes k and v and returns q. cos and sin are [capacity, size / 2].
Values rope_append(Values& k, Values& v, const Values& qkv, const Values& cos, const Values& sin,
                   const Values& sequence, const Values& position, const Heads& heads, DType dtype);
Values attention(const Values& q, const Values& k, const Values& v, const Values& sequence,
                 const Values& position, const Heads& heads);
Values full_attention(const Values& q, const Values& k, const Values& v, int64_t channels,
                      int64_t heads, DType dtype);

// Pictures are [height, width, channels].
struct Size {
  int64_t height = 0;
  int64_t width = 0;
};
Values group_norm(const Values& x, const Values& weight, const Values& bias, int64_t groups,
                  double eps, bool silu, DType dtype);
// weight [out, in, kernel, kernel]; residual is empty for conv2d.
Values conv2d(const Values& x, const Values& weight, const Values& bias, const Values& residual,
              Size size, int64_t in, int64_t out, int64_t kernel, Padding padding, DType dtype);
Values upsample2x(const Values& x, Size size, int64_t channels);
Values to_pixels(const Values& x);

// Sampling settings of one picture, see SampleControls.
struct SampleSettings {
  double temperature = 1.0;
  int64_t top_k = 0;
  double top_p = 1.0;
  uint64_t seed = 0;
  uint32_t step = 0;
  uint32_t stream = 0;  // the same for all pictures of a call
};

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);
double gumbel(uint32_t bits);
// Codes that may be sampled, in ascending order.
std::vector<int64_t> top_k_top_p(const Values& guided, const SampleSettings& draw);
// Score of each code; -infinity if it may not be sampled.
Values scores(const Values& guided, const SampleSettings& draw);
// The sampled id; -1 if the values cannot be sampled from.
int64_t sample(const Values& guided, const SampleSettings& draw);

}  // namespace bifrons::reference
