// Rotary position embedding (RoPE): frequencies and tables.
#include "src/model/rope.h"

#include <cmath>

namespace bifrons {

std::vector<float> inverse_frequencies(double theta, int64_t head_dim, bool round_to_bf16) {
  std::vector<float> inverse(head_dim / 2);
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    inverse[i] = 1.0f / std::pow(static_cast<float>(theta), exponent);
    if (round_to_bf16) inverse[i] = bifrons::round_to_bf16(inverse[i]);
  }
  return inverse;
}

RopeValues rope_values(std::span<const float> inverse_frequency, int64_t positions,
                       DType activation) {
  const int64_t half = static_cast<int64_t>(inverse_frequency.size());
  RopeValues values;
  values.cos.resize(positions * half);
  values.sin.resize(positions * half);
  const auto stored = [activation](float x) {
    return activation == DType::kBf16 ? round_to_bf16(x) : x;
  };
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * inverse_frequency[i];
      values.cos[p * half + i] = stored(std::cos(angle));
      values.sin[p * half + i] = stored(std::sin(angle));
    }
  }
  return values;
}

}  // namespace bifrons
