// Configuration of the vision tower.
#pragma once

#include <cstdint>

namespace bifrons {

// A SigLIP encoder without class token and without pooling (docs/janus-pro.md 1.3). The defaults
// are those of siglip_large_patch16_384.
struct TowerConfig {
  int64_t image_size = 384;  // pixels per side of the square input
  int64_t patch = 16;        // pixels per side of a patch; a patch is a token
  int64_t width = 1024;
  int64_t layers = 24;
  int64_t heads = 16;  // head size: width / heads
  int64_t mlp_width = 4096;
  double norm_eps = 1e-6;

  int64_t tokens() const { return (image_size / patch) * (image_size / patch); }
  int64_t patch_values() const { return 3 * patch * patch; }
};

}  // namespace bifrons
