// Building blocks of the VQ encoder and decoder: residual and attention blocks, and the rotating
// areas of scratch memory for the maps of one or several pictures (docs/janus-pro.md 3.1).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "vision/networks/vq_config.h"

namespace bifrons {

// y = conv2(silu(norm2(conv1(silu(norm1(x)))))) + shortcut(x).
struct ResidualBlockWeights {
  int64_t in = 0;
  int64_t out = 0;
  Norm norm1;            // [in]
  Convolution conv1;     // 3x3 in -> out
  Norm norm2;            // [out]
  Convolution conv2;     // 3x3 out -> out
  Convolution shortcut;  // 1x1 in -> out; only if in != out
};

// y = x + project(attention(q, k, v)) with one head over all channels.
struct AttentionBlockWeights {
  Norm norm;       // [C]
  Linear qkv;      // [3 C, C]
  Linear project;  // [C, C]
};

// Names of the original form (docs/janus-pro.md 2.1), with the prefix `name`.
void visit(ResidualBlockWeights& weights, const std::string& name, int64_t in, int64_t out,
           WeightVisitor& visitor);
void visit(AttentionBlockWeights& weights, const std::string& name, int64_t channels,
           WeightVisitor& visitor);

class VqBlocks {
 public:
  // largest_map: elements of the largest map [side, side, C]. attended: elements of the largest map
  // with an attention block. Maps have the `activation` dtype. The maps of P pictures are one
  // tensor [P, side, side, C].
  VqBlocks(const VqConfig& config, int64_t largest_map, int64_t attended, DType activation)
      : groups_(config.norm_groups),
        eps_(config.norm_eps),
        largest_map_((largest_map + kMapUnit - 1) / kMapUnit * kMapUnit),
        attended_(attended),
        activation_(activation) {}

  // Scratch memory for so many pictures, in bytes.
  int64_t bytes(int64_t pictures) const;
  // If it throws, what was allocated before remains.
  void allocate(Backend& b, int64_t pictures);
  // Most pictures at once; 0: not allocated yet.
  int64_t capacity() const { return capacity_; }

  // Area 0, 1 or 2 as maps [pictures, side, side, channels].
  Tensor area(int index, int64_t pictures, int64_t side, int64_t channels) const;
  // The next rotating area after the one that holds `busy`.
  int next_area(const Tensor& busy) const;

  // x [P, side, side, in] in one area -> [P, side, side, out] in another; x is overwritten.
  Tensor residual_block(Backend& b, const Tensor& x, const ResidualBlockWeights& w) const;
  // Changes x [P, side, side, C], which is in one of the areas, in place.
  void attention_block(Backend& b, const Tensor& x, const AttentionBlockWeights& w) const;
  // y = silu(norm(x)), [P, side, side, C], in another area than x.
  Tensor normed(Backend& b, const Tensor& x, const Norm& norm) const;

 private:
  static constexpr int64_t kMapUnit = 128;  // elements; aligns areas for vector access

  int64_t groups_;
  double eps_;
  int64_t largest_map_;
  int64_t attended_;
  DType activation_;
  int64_t capacity_ = 0;  // pictures
  Buffer scratch_;
};

}  // namespace bifrons
