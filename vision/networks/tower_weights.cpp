// Names and shapes of the vision tower in the original form (docs/janus-pro.md 2.1).
#include <fmt/format.h>

#include "vision/networks/tower.h"

namespace bifrons {

void visit(TowerWeights& weights, const TowerConfig& config, WeightVisitor& visitor) {
  const std::string tower = "vision_model.vision_tower.";
  const int64_t width = config.width;
  visitor.positions(weights.positions, tower + "pos_embed", config.tokens(), width);
  visitor.linear(weights.patch_embedding, tower + "patch_embed.proj", width, config.patch_values(),
                 true, LinearForm::kPatches);
  weights.blocks.resize(config.layers);
  for (int64_t i = 0; i < config.layers; ++i) {
    TowerBlockWeights& w = weights.blocks[i];
    const std::string block = fmt::format("{}blocks.{}.", tower, i);
    visitor.norm(w.norm1, block + "norm1", width, true);
    visitor.linear(w.qkv, block + "attn.qkv", 3 * width, width, true);
    visitor.linear(w.project, block + "attn.proj", width, width, true);
    visitor.norm(w.norm2, block + "norm2", width, true);
    visitor.linear(w.widen, block + "mlp.fc1", config.mlp_width, width, true);
    visitor.linear(w.narrow, block + "mlp.fc2", width, config.mlp_width, true);
  }
  visitor.norm(weights.norm, tower + "norm", width, true);
}

}  // namespace bifrons
