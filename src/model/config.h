// What a model directory's config.json says, whichever of the two published forms it has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// Llama-type decoder. Defaults are LlamaConfig's, which the original form relies on (spec 1.1).
struct TransformerConfig {
  int64_t hidden = 4096;
  int64_t intermediate = 11008;
  int64_t layers = 32;
  int64_t heads = 32;
  int64_t kv_heads = 32;   // default: heads
  int64_t head_dim = 128;  // default: hidden / heads
  int64_t vocabulary = 32000;
  int64_t max_positions = 2048;
  double norm_eps = 1e-6;
  double rope_theta = 10000.0;
};

// Convolutional visual tokenizer, VQ-16 (spec 3). Defaults are those of the original code.
struct VqConfig {
  int64_t codebook = 16384;    // codes
  int64_t code_dim = 8;        // components of a code
  int64_t latent_channels = 256;
  int64_t base_channels = 128;
  std::vector<int64_t> encoder_multipliers{1, 1, 2, 2, 4};
  std::vector<int64_t> decoder_multipliers{1, 1, 2, 2, 4};
  int64_t res_blocks = 2;      // a level of the encoder; the decoder has one more
  int64_t norm_groups = 32;
  double norm_eps = 1e-6;
};

enum class CheckpointForm { kOriginal, kHuggingFace };

struct Config {
  CheckpointForm form = CheckpointForm::kOriginal;
  TransformerConfig transformer;
  VqConfig vq;
  int64_t image_size = 384;         // pixels a side
  int64_t grid = 24;                // image tokens a side: image_size / 2^(levels - 1)
  int64_t image_token_embed = 4096; // inner width of gen_head
  int64_t gen_aligner_width = 4096; // inner width of gen_aligner; its output is hidden

  int64_t image_tokens() const { return grid * grid; }
};

// Reads DIR/config.json. Throws Error (missing: no such file; data: file, field and reason).
Config read_config(const std::string& directory);

// The same from text; `name` stands for the file in messages.
Config parse_config(std::string_view json, const std::string& name);

}  // namespace bifrons
