// The configuration of a model: the config.json of its directory, in either of the two published
// forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/weights.h"
#include "vision/networks/tower_config.h"
#include "vision/networks/vq_config.h"

namespace bifrons {

// Llama-type decoder. The defaults are those of LlamaConfig, on which the original form relies
// (docs/janus-pro.md 1.1).
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

enum class CheckpointForm { kOriginal, kHuggingFace };

struct Config {
  CheckpointForm form = CheckpointForm::kOriginal;
  TransformerConfig transformer;
  VqConfig vq;
  int64_t image_size = 384;          // pixels a side
  int64_t grid = 24;                 // image tokens a side: image_size / 2^(levels - 1)
  int64_t image_token_embed = 4096;  // inner width of gen_head
  int64_t gen_aligner_width = 4096;  // inner width of gen_aligner; its output is hidden
  std::optional<TowerConfig> tower;  // nullopt: config.json describes no vision tower
  // Whether the text head is the token embedding if the files hold no lm_head.weight. One that they
  // hold is always used: transformers writes `true` beside heads that are not tied.
  bool ties_head = false;
  // The linear layers of the files (docs/quantization.md), and how they are loaded: the same, or
  // stored ones quantised while loading. parse_config() makes both equal.
  LinearFormat in_files = LinearFormat::kStored;
  LinearFormat loaded = LinearFormat::kStored;

  int64_t image_tokens() const { return grid * grid; }
};

// Reads DIR/config.json. Throws Error (missing: no such file, or what the directory is instead of a
// model's; data: file, field and reason).
Config read_config(const std::string& directory);

// The same from text; `name` is the file's name in messages.
Config parse_config(std::string_view json, const std::string& name);

}  // namespace bifrons
