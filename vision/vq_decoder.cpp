// The VQ decoder as a page of verbs; every map is NHWC, one picture at a time.
#include "vision/vq_decoder.h"

#include <algorithm>

namespace bifrons {
namespace {

// Areas 0..2 rotate: a block reads one, uses the second for what it normalises and writes the
// third. Attention keeps its q, k, v in an area of their own.
constexpr int kRotating = 3;

}  // namespace

int64_t VqDecoder::image_size() const {
  return grid_ << (config_.decoder_multipliers.size() - 1);
}

int64_t VqDecoder::largest_map() const {
  const int64_t levels = static_cast<int64_t>(config_.decoder_multipliers.size());
  int64_t channels = config_.base_channels * config_.decoder_multipliers.back();
  int64_t side = grid_;
  int64_t largest = side * side * std::max(channels, config_.latent_channels);
  for (int64_t i = 0; i < levels; ++i) {
    const int64_t out = config_.base_channels * config_.decoder_multipliers[levels - 1 - i];
    largest = std::max(largest, side * side * std::max(channels, out));
    channels = out;
    if (i + 1 < levels) side *= 2;
    largest = std::max(largest, side * side * channels);
  }
  return largest;
}

int64_t VqDecoder::scratch_bytes() const {
  const int64_t attention = 4 * grid_ * grid_ * config_.base_channels *
                            config_.decoder_multipliers.back();
  return (kRotating * largest_map() + attention) * size_of(activation_);
}

void VqDecoder::allocate(Backend& b) { scratch_ = b.allocate(scratch_bytes()); }

Tensor VqDecoder::area(int index, int64_t side, int64_t channels) const {
  return scratch_.view(activation_, {side, side, channels},
                       index * largest_map() * size_of(activation_));
}

int VqDecoder::next_area(const Tensor& busy) const {
  const int64_t offset =
      static_cast<std::byte*>(busy.data) - static_cast<std::byte*>(scratch_.data());
  return static_cast<int>(offset / (largest_map() * size_of(activation_)) + 1) % kRotating;
}

Tensor VqDecoder::residual_block(Backend& b, const Tensor& x, const ResidualBlockWeights& w) {
  const int64_t side = x.shape[0], groups = config_.norm_groups;
  const int second = next_area(x), third = (second + 1) % kRotating;
  const Tensor normed = area(second, side, w.in), hidden = area(third, side, w.out);
  b.group_norm(normed, x, w.norm1, groups, config_.norm_eps, true);
  b.conv2d(hidden, normed, w.conv1);

  if (w.in == w.out) {
    const Tensor inner = area(second, side, w.out);
    b.group_norm(inner, hidden, w.norm2, groups, config_.norm_eps, true);
    b.conv2d_add(hidden, inner, w.conv2, x);
    return hidden;
  }
  // The shortcut needs x and a place of its own, so the second norm works in place.
  const Tensor shortcut = area(second, side, w.out);
  b.group_norm(hidden, hidden, w.norm2, groups, config_.norm_eps, true);
  b.conv2d(shortcut, x, w.shortcut);
  const Tensor y = area(next_area(hidden), side, w.out);
  b.conv2d_add(y, hidden, w.conv2, shortcut);
  return y;
}

void VqDecoder::attention_block(Backend& b, const Tensor& x, const AttentionBlockWeights& w) {
  const int64_t n = x.shape[0] * x.shape[1], channels = x.shape[2];
  const Tensor normed = area(next_area(x), x.shape[0], channels);
  const int64_t offset = kRotating * largest_map() * size_of(activation_);
  const Tensor qkv = scratch_.view(activation_, {n, 3 * channels}, offset);
  const Tensor mixed = scratch_.view(activation_, {n, channels}, offset + qkv.bytes());
  b.group_norm(normed, x, w.norm, config_.norm_groups, config_.norm_eps, false);
  b.linear(qkv, normed.reshape({n, channels}), w.qkv);
  b.full_attention(mixed, qkv.slice_cols(0, channels), qkv.slice_cols(channels, channels),
                   qkv.slice_cols(2 * channels, channels));
  b.linear_add(x.reshape({n, channels}), mixed, w.project);
}

Tensor VqDecoder::decode_to_signal(Backend& b, const Tensor& codes) {
  const VqDecoderWeights& w = weights_;
  const int64_t n = grid_ * grid_;
  check(codes.count() == n, "vq decode: one code per cell of the grid");
  check(scratch_.data() != nullptr, "vq decode: allocate first");

  const Tensor embedded = area(0, grid_, config_.code_dim);
  const Tensor latent = area(1, grid_, config_.latent_channels);
  b.gather(embedded.reshape({n, config_.code_dim}), w.codebook, codes);
  b.linear(latent.reshape({n, config_.latent_channels}), embedded.reshape({n, config_.code_dim}),
           w.post_quant);

  Tensor x = area(2, grid_, w.mid_first.in);
  b.conv2d(x, latent, w.conv_in);
  x = residual_block(b, x, w.mid_first);
  attention_block(b, x, w.mid_attention);
  x = residual_block(b, x, w.mid_second);

  for (size_t i = 0; i < w.levels.size(); ++i) {
    const VqLevelWeights& level = w.levels[i];
    for (size_t r = 0; r < level.residual.size(); ++r) {
      x = residual_block(b, x, level.residual[r]);
      if (!level.attention.empty()) attention_block(b, x, level.attention[r]);
    }
    if (i + 1 == w.levels.size()) break;
    const int64_t side = 2 * x.shape[0];
    const Tensor wide = area(next_area(x), side, level.channels);
    b.upsample2x(wide, x);
    x = area(next_area(wide), side, level.channels);
    b.conv2d(x, wide, level.upsample);
  }

  const int64_t side = x.shape[0];
  const Tensor normed = area(next_area(x), side, x.shape[2]);
  b.group_norm(normed, x, w.norm_out, config_.norm_groups, config_.norm_eps, true);
  const Tensor signal = area(next_area(normed), side, 3);
  b.conv2d(signal, normed, w.conv_out);
  return signal;
}

void VqDecoder::decode(Backend& b, const Tensor& pixels, const Tensor& codes) {
  b.to_pixels(pixels, decode_to_signal(b, codes));
}

}  // namespace bifrons
