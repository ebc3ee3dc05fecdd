// The vision tower as a page of ops; one picture at a time, a row for each patch.
#include "vision/tower.h"

#include <algorithm>
#include <numeric>

namespace bifrons {
namespace {

// Areas of scratch memory in order; widths in columns.
enum Area { kX, kNormed, kMixed, kQkv, kInner, kPatches, kAreas };

int64_t columns(const TowerConfig& config, int area) {
  switch (area) {
    case kQkv:
      return 3 * config.width;
    case kInner:
      return config.mlp_width;
    case kPatches:
      return config.patch_values();
    default:
      return config.width;
  }
}

int64_t bytes_of(const TowerConfig& config, int area, DType dtype) {
  return (config.tokens() * columns(config, area) * size_of(dtype) + 63) / 64 * 64;
}

}  // namespace

int64_t VisionTower::scratch_bytes() const {
  int64_t sum = 0;
  for (int a = 0; a < kAreas; ++a) sum += bytes_of(config_, a, activation_);
  return sum;
}

void VisionTower::allocate(Backend& b) {
  scratch_ = b.allocate(scratch_bytes());
  order_ = b.allocate(config_.tokens() * size_of(DType::kI32));
  std::vector<int32_t> order(config_.tokens());
  std::iota(order.begin(), order.end(), 0);
  b.upload(order_.view(DType::kI32, {config_.tokens()}), order.data());
}

Tensor VisionTower::area(int index) const {
  check(scratch_.data() != nullptr, "vision tower: allocate first");
  int64_t offset = 0;
  for (int a = 0; a < index; ++a) offset += bytes_of(config_, a, activation_);
  return scratch_.view(activation_, {config_.tokens(), columns(config_, index)}, offset);
}

Tensor VisionTower::patches() const { return area(kPatches); }

Tensor VisionTower::encode(Backend& b) {
  const int64_t width = config_.width;
  const Tensor x = area(kX), normed = area(kNormed), mixed = area(kMixed);
  const Tensor qkv = area(kQkv), inner = area(kInner);

  b.gather(x, weights_.positions, order_.view(DType::kI32, {config_.tokens()}));
  b.linear_add(x, patches(), weights_.patch_embedding);
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
