// Rotary position embedding (RoPE): frequencies and tables (docs/janus-pro.md 4.5).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/dtype.h"

namespace bifrons {

// 1 / theta^(2 i / head_dim), i < head_dim / 2, in f32 as LlamaRotaryEmbedding computes it. With
// `round_to_bf16` each value is then rounded to bf16: that is what the original scripts use after
// `.to(torch.bfloat16)` (docs/janus-pro.md 4.5, "RoPE hazard").
std::vector<float> inverse_frequencies(double theta, int64_t head_dim, bool round_to_bf16);

// cos and sin of position * inverse_frequency, f32 [positions, head_dim / 2], rounded to
// `activation` as the reference casts its tables.
struct RopeValues {
  std::vector<float> cos;
  std::vector<float> sin;
};
RopeValues rope_values(std::span<const float> inverse_frequency, int64_t positions,
                       DType activation);

}  // namespace bifrons
