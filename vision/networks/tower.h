// The vision tower, SigLIP: the patches of a picture -> one feature vector per patch.
#pragma once

#include <vector>

#include "kernels/arena.h"
#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "vision/networks/tower_config.h"

namespace bifrons {

// W: width, M: mlp_width.
struct TowerBlockWeights {
  Norm norm1;      // [W]
  Linear qkv;      // [3 W, W], bias
  Linear project;  // [W, W], bias
  Norm norm2;      // [W]
  Linear widen;    // [M, W], bias
  Linear narrow;   // [W, M], bias
};

struct TowerWeights {
  Linear patch_embedding;  // [W, 3 patch^2], bias; input order: channel, row, column
  Table positions;         // [tokens, W]
  std::vector<TowerBlockWeights> blocks;
  Norm norm;  // [W]
};

void visit(TowerWeights& weights, const TowerConfig& config, WeightVisitor& visitor);

// Activations of encode(); one row per patch.
struct TowerActivations {
  Tensor x;        // [tokens, W], the residual stream
  Tensor normed;   // [tokens, W]
  Tensor mixed;    // [tokens, W], output of attention
  Tensor qkv;      // [tokens, 3 W]
  Tensor inner;    // [tokens, M]
  Tensor patches;  // [tokens, 3 patch^2]
};

class VisionTower {
 public:
  // The caller binds the weights. `activation` is bf16 or f32.
  VisionTower(const TowerConfig& config, DType activation)
      : config_(config), activation_(activation) {}

  TowerWeights& weights() { return weights_; }
  const TowerConfig& config() const { return config_; }
  DType activation() const { return activation_; }

  int64_t scratch_bytes() const;
  void allocate(Backend& b);

  // Memory for the patches of a picture, [tokens, 3 patch^2] (vision/networks/tower_input.h).
  // Upload them here before encode().
  Tensor patches() const;
  // patches() -> features [tokens, W] after the final norm (docs/janus-pro.md 5.3), valid until the
  // next call.
  Tensor encode(Backend& b);

 private:
  TowerActivations lay_out(Arena& arena) const;
  const TowerActivations& activations() const;

  TowerConfig config_;
  DType activation_;
  TowerWeights weights_;
  Buffer scratch_;
  TowerActivations activations_;  // views on scratch_
  Buffer order_;                  // i32 [tokens] = 0, 1, 2 ..
};

}  // namespace bifrons
