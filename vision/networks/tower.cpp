// The vision tower (SigLIP) as a list of ops; one picture at a time, one row per patch.
#include "vision/networks/tower.h"

#include <numeric>

namespace bifrons {

TowerActivations VisionTower::lay_out(Arena& arena) const {
  const int64_t tokens = config_.tokens();
  TowerActivations a;
  a.x = arena.take(activation_, {tokens, config_.width});
  a.normed = arena.take(activation_, {tokens, config_.width});
  a.mixed = arena.take(activation_, {tokens, config_.width});
  a.qkv = arena.take(activation_, {tokens, 3 * config_.width});
  a.inner = arena.take(activation_, {tokens, config_.mlp_width});
  a.patches = arena.take(activation_, {tokens, config_.patch_values()});
  return a;
}

int64_t VisionTower::scratch_bytes() const {
  return arena_bytes([&](Arena& arena) { lay_out(arena); });
}

void VisionTower::allocate(Backend& b) {
  scratch_ = b.allocate(scratch_bytes());
  Arena arena(scratch_);
  activations_ = lay_out(arena);
  order_ = b.allocate(config_.tokens() * size_of(DType::kI32));
  std::vector<int32_t> order(config_.tokens());
  std::iota(order.begin(), order.end(), 0);
  b.upload(order_.view(DType::kI32, {config_.tokens()}), order.data());
}

const TowerActivations& VisionTower::activations() const {
  check(scratch_.data() != nullptr, "vision tower: allocate first");
  return activations_;
}

Tensor VisionTower::patches() const { return activations().patches; }

Tensor VisionTower::encode(Backend& b) {
  const int64_t width = config_.width;
  const auto& [x, normed, mixed, qkv, inner, patches] = activations();

  b.gather(x, weights_.positions, order_.view(DType::kI32, {config_.tokens()}));
  b.linear_add(x, patches, weights_.patch_embedding);
  for (const TowerBlockWeights& w : weights_.blocks) {
    b.layer_norm(normed, x, w.norm1, config_.norm_eps);
    b.linear(qkv, normed, w.qkv);
    b.full_attention(mixed, qkv.slice_cols(0, width), qkv.slice_cols(width, width),
                     qkv.slice_cols(2 * width, width), config_.heads);
    b.linear_add(x, mixed, w.project);

    b.layer_norm(normed, x, w.norm2, config_.norm_eps);
    b.linear(inner, normed, w.widen);
    b.gelu(inner, inner);
    b.linear_add(x, inner, w.narrow);
  }
  b.layer_norm(normed, x, weights_.norm, config_.norm_eps);
  return normed;
}

}  // namespace bifrons
