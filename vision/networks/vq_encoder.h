// Pixels to image codes: the encoder half of the visual tokenizer VQ-16 (docs/janus-pro.md 3.2,
// 3.4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "vision/networks/vq_blocks.h"
#include "vision/networks/vq_config.h"
#include "vision/pictures/picture.h"

namespace bifrons {

struct VqEncoderLevelWeights {
  int64_t channels = 0;
  std::vector<ResidualBlockWeights> residual;
  std::vector<AttentionBlockWeights> attention;  // lowest level only, one after each residual block
  Convolution downsample;                        // stride 2; all but the lowest level
};

struct VqEncoderWeights {
  Convolution conv_in;                        // 3x3 3 -> C
  std::vector<VqEncoderLevelWeights> levels;  // index 0 is the highest resolution
  ResidualBlockWeights mid_first;
  AttentionBlockWeights mid_attention;
  ResidualBlockWeights mid_second;
  Norm norm_out;
  Convolution conv_out;  // 3x3 C -> latent
  Linear quant;          // [code_dim, latent]
};

void visit(VqEncoderWeights& weights, const VqConfig& config, WeightVisitor& visitor);

class VqEncoder {
 public:
  // grid: codes per side. `activation` is bf16 or f32. The caller binds the weights.
  VqEncoder(const VqConfig& config, int64_t grid, DType activation);

  VqEncoderWeights& weights() { return weights_; }
  // f32 [codes, code_dim], rows of unit length. The nearest code is chosen in f32, whatever the
  // dtype of the network. The caller binds it.
  Table& codebook() { return codebook_; }
  int64_t image_size() const;

  int64_t scratch_bytes() const { return blocks_.bytes(1); }
  // Call it after the weights are bound.
  void allocate(Backend& b);

  // Encodes a picture of image_size x image_size to codes in raster order, [grid^2]. Not reentrant.
  // Throws Error (data) if the network's output is not finite.
  std::vector<int32_t> encode(Backend& b, const Picture& picture);
  // x [size, size, 3] in the activation dtype, -1..1 -> z f32 [grid^2, code_dim], valid until the
  // next call.
  Tensor latents(Backend& b, const Tensor& x);
  // For each row of z [n, code_dim], the code with the nearest direction; among equals the lowest
  // code.
  std::vector<int32_t> nearest(std::span<const float> z) const;

 private:
  int64_t largest_map() const;

  VqConfig config_;
  int64_t grid_;
  DType activation_;
  VqEncoderWeights weights_;
  Table codebook_;
  VqBlocks blocks_;
  Buffer input_;                   // x [size, size, 3]
  Buffer latents_;                 // z f32 [grid^2, code_dim]
  std::vector<float> directions_;  // the codebook on the host
};

}  // namespace bifrons
