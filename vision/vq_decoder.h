// Image codes to pixels: the decoder half of the visual tokenizer VQ-16 (spec 3.1, 3.3).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "vision/vq_config.h"

namespace bifrons {

// y = conv2(silu(norm2(conv1(silu(norm1(x)))))) + shortcut(x).
struct ResidualBlockWeights {
  int64_t in = 0;
  int64_t out = 0;
  Norm norm1;             // [in]
  Convolution conv1;      // 3x3 in -> out
  Norm norm2;             // [out]
  Convolution conv2;      // 3x3 out -> out
  Convolution shortcut;   // 1x1 in -> out; only when in != out
};

// y = x + project(attention(q, k, v)) with one head over all channels.
struct AttentionBlockWeights {
  Norm norm;     // [C]
  Linear qkv;    // [3 C, C]
  Linear project;  // [C, C]
};

struct VqLevelWeights {
  int64_t channels = 0;
  std::vector<ResidualBlockWeights> residual;
  std::vector<AttentionBlockWeights> attention;  // lowest level only, one after each residual block
  Convolution upsample;                          // all but the last level
};

struct VqDecoderWeights {
  Table codebook;       // [codes, code_dim], rows of unit length
  Linear post_quant;    // [latent, code_dim]
  Convolution conv_in;  // 3x3 latent -> C
  ResidualBlockWeights mid_first;
  AttentionBlockWeights mid_attention;
  ResidualBlockWeights mid_second;
  std::vector<VqLevelWeights> levels;  // index 0 is the lowest resolution
  Norm norm_out;
  Convolution conv_out;  // 3x3 C -> 3
};

void visit(VqDecoderWeights& weights, const VqConfig& config, WeightVisitor& visitor);

class VqDecoder {
 public:
  // grid: codes a side. `activation` is bf16 or f32. Weights are bound by the caller.
  VqDecoder(const VqConfig& config, int64_t grid, DType activation)
      : config_(config), grid_(grid), activation_(activation) {}

  VqDecoderWeights& weights() { return weights_; }
  const VqConfig& config() const { return config_; }
  int64_t image_size() const;

  // Scratch memory of one decode, in bytes: four maps of the largest level plus attention's.
  int64_t scratch_bytes() const;
  void allocate(Backend& b);

  // codes i32 [grid^2] in raster order -> pixels u8 [size, size, 3]. Not reentrant.
  void decode(Backend& b, const Tensor& pixels, const Tensor& codes);
  // The same up to the network's output x, [size, size, 3] in the activation dtype, about -1..1.
  Tensor decode_to_signal(Backend& b, const Tensor& codes);

 private:
  int64_t largest_map() const;
  Tensor area(int index, int64_t side, int64_t channels) const;
  Tensor residual_block(Backend& b, const Tensor& x, const ResidualBlockWeights& w);
  void attention_block(Backend& b, const Tensor& x, const AttentionBlockWeights& w);
  // The first area, of those that rotate, that does not hold `busy`.
  int next_area(const Tensor& busy) const;

  VqConfig config_;
  int64_t grid_;
  DType activation_;
  VqDecoderWeights weights_;
  Buffer scratch_;
};

}  // namespace bifrons
