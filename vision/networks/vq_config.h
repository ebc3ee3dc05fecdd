// Configuration of the visual tokenizer.
#pragma once

#include <cstdint>
#include <vector>

namespace bifrons {

// Sizes of the convolutional visual tokenizer VQ-16 (docs/janus-pro.md 3). The defaults are those
// of the original code.
struct VqConfig {
  int64_t codebook = 16384;  // number of codes
  int64_t code_dim = 8;      // components of a code
  int64_t latent_channels = 256;
  int64_t base_channels = 128;
  std::vector<int64_t> encoder_multipliers{1, 1, 2, 2, 4};
  std::vector<int64_t> decoder_multipliers{1, 1, 2, 2, 4};
  int64_t res_blocks = 2;  // per level of the encoder; the decoder has one more
  int64_t norm_groups = 32;
  double norm_eps = 1e-6;
};

}  // namespace bifrons
