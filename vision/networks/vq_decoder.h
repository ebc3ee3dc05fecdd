// Image codes to pixels: the decoder half of the visual tokenizer VQ-16 (docs/janus-pro.md 3.1,
// 3.3).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "vision/networks/vq_blocks.h"
#include "vision/networks/vq_config.h"

namespace bifrons {

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
  // grid: codes per side. `activation` is bf16 or f32. The caller binds the weights.
  VqDecoder(const VqConfig& config, int64_t grid, DType activation)
      : config_(config),
        grid_(grid),
        blocks_(config, largest_map(),
                grid * grid * config.base_channels * config.decoder_multipliers.back(),
                activation) {}

  VqDecoderWeights& weights() { return weights_; }
  const VqConfig& config() const { return config_; }
  int64_t image_size() const;
  int64_t cells() const { return grid_ * grid_; }  // codes of a picture

  // Scratch memory for so many pictures in one pass, in bytes: the rotating areas, and q, k, v and
  // the result of attention.
  int64_t scratch_bytes(int64_t pictures = 1) const { return blocks_.bytes(pictures); }
  // Allocates it, again for another number. If that throws, what was allocated before remains.
  void allocate(Backend& b, int64_t pictures = 1);
  // Most pictures of one pass.
  int64_t capacity() const { return blocks_.capacity(); }

  // codes i32 [P grid^2], the pictures one after another, each in raster order -> pixels u8 [P,
  // size, size, 3], or [size, size, 3] of one picture. P is at most capacity(). All pictures are
  // decoded in one pass; a caller with P > 1 asks exact_passes() (vq_together.h). Not reentrant.
  void decode(Backend& b, const Tensor& pixels, const Tensor& codes);
  // For each of the first `pictures` places of a pass, whether the network's output was finite
  // there in every decode() since the last call. Waits for the device and copies a word of each to
  // the host.
  std::vector<bool> were_finite(Backend& b, int64_t pictures);
  // Like decode(), but returns the network's output x [P, size, size, 3] in the activation dtype,
  // about -1..1.
  Tensor decode_to_signal(Backend& b, const Tensor& codes);

 private:
  int64_t largest_map() const;

  VqConfig config_;
  int64_t grid_;
  VqDecoderWeights weights_;
  VqBlocks blocks_;
  Buffer not_finite_;  // i32 [capacity], written by Backend::to_pixels()
};

}  // namespace bifrons
