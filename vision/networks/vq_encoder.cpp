// The VQ encoder as a list of ops.
#include "vision/networks/vq_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace bifrons {

void visit(VqEncoderWeights& weights, const VqConfig& config, WeightVisitor& visitor) {
  const std::string vq = "gen_vision_model.", encoder = vq + "encoder.";
  const int64_t levels = static_cast<int64_t>(config.encoder_multipliers.size());
  int64_t channels = config.base_channels;
  visitor.convolution(weights.conv_in, encoder + "conv_in", channels, 3, 3, Padding::kSame);
  weights.levels.resize(levels);
  for (int64_t i = 0; i < levels; ++i) {
    VqEncoderLevelWeights& level = weights.levels[i];
    const std::string block = fmt::format("{}conv_blocks.{}.", encoder, i);
    const int64_t in = channels;
    channels = level.channels = config.base_channels * config.encoder_multipliers[i];
    level.residual.resize(config.res_blocks);
    for (int64_t r = 0; r < config.res_blocks; ++r) {
      visit(level.residual[r], fmt::format("{}res.{}", block, r), r == 0 ? in : channels, channels,
            visitor);
    }
    if (i + 1 == levels) {
      level.attention.resize(config.res_blocks);
      for (int64_t r = 0; r < config.res_blocks; ++r) {
        visit(level.attention[r], fmt::format("{}attn.{}", block, r), channels, visitor);
      }
    } else {
      visitor.convolution(level.downsample, block + "downsample.conv", channels, channels, 3,
                          Padding::kRightBottom);
    }
  }
  visit(weights.mid_first, encoder + "mid.0", channels, channels, visitor);
  visit(weights.mid_attention, encoder + "mid.1", channels, visitor);
  visit(weights.mid_second, encoder + "mid.2", channels, channels, visitor);
  visitor.norm(weights.norm_out, encoder + "norm_out", channels, true);
  visitor.convolution(weights.conv_out, encoder + "conv_out", config.latent_channels, channels, 3,
                      Padding::kSame);
  visitor.linear(weights.quant, vq + "quant_conv", config.code_dim, config.latent_channels, true,
                 LinearForm::kConvolution);
}

VqEncoder::VqEncoder(const VqConfig& config, int64_t grid, DType activation)
    : config_(config),
      grid_(grid),
      activation_(activation),
      blocks_(config, largest_map(),
              grid * grid * config.base_channels * config.encoder_multipliers.back(), activation) {}

int64_t VqEncoder::image_size() const { return grid_ << (config_.encoder_multipliers.size() - 1); }

int64_t VqEncoder::largest_map() const {
  int64_t side = image_size();
  int64_t largest = side * side * std::max<int64_t>(3, config_.base_channels);
  for (const int64_t multiplier : config_.encoder_multipliers) {
    largest = std::max(largest, side * side * config_.base_channels * multiplier);
    side /= 2;
  }
  return std::max(largest, grid_ * grid_ * config_.latent_channels);
}

void VqEncoder::allocate(Backend& b) {
  const int64_t size = image_size();
  check(codebook_.dtype == DType::kF32 && codebook_.cols == config_.code_dim,
        "vq encode: bind the codebook in f32 first");
  blocks_.allocate(b, 1);
  input_ = b.allocate(size * size * 3 * size_of(activation_));
  latents_ = b.allocate(grid_ * grid_ * config_.code_dim * size_of(DType::kF32));
  directions_.resize(codebook_.rows * codebook_.cols);
  b.download(directions_.data(), codebook_.tensor());
}

Tensor VqEncoder::latents(Backend& b, const Tensor& picture) {
  const VqEncoderWeights& w = weights_;
  const int64_t n = grid_ * grid_;
  check(blocks_.capacity() > 0, "vq encode: allocate first");
  const int64_t size = picture.shape[0];
  Tensor x = blocks_.area(0, 1, size, w.conv_in.out);
  b.conv2d(x, picture.reshape({1, size, size, 3}), w.conv_in);
  for (const VqEncoderLevelWeights& level : w.levels) {
    for (size_t r = 0; r < level.residual.size(); ++r) {
      x = blocks_.residual_block(b, x, level.residual[r]);
      if (!level.attention.empty()) blocks_.attention_block(b, x, level.attention[r]);
    }
    if (&level == &w.levels.back()) break;
    const Tensor half = blocks_.area(blocks_.next_area(x), 1, x.shape[1] / 2, level.channels);
    b.conv2d(half, x, level.downsample);
    x = half;
  }
  x = blocks_.residual_block(b, x, w.mid_first);
  blocks_.attention_block(b, x, w.mid_attention);
  x = blocks_.residual_block(b, x, w.mid_second);

  x = blocks_.normed(b, x, w.norm_out);
  const Tensor latent = blocks_.area(blocks_.next_area(x), 1, grid_, config_.latent_channels);
  b.conv2d(latent, x, w.conv_out);
  const Tensor z = latents_.view(DType::kF32, {n, config_.code_dim});
  b.linear(z, latent.reshape({n, config_.latent_channels}), w.quant);
  return z;
}

std::vector<int32_t> VqEncoder::nearest(std::span<const float> z) const {
  const int64_t d = config_.code_dim;
  std::vector<int32_t> codes(z.size() / d);
  for (size_t i = 0; i < codes.size(); ++i) {
    // Rows of the codebook have unit length. The nearest code is therefore the one with the largest
    // dot product, whatever the length of z.
    double best = -INFINITY;
    for (int64_t code = 0; code < codebook_.rows; ++code) {
      double product = 0;
      for (int64_t c = 0; c < d; ++c) product += double{z[i * d + c]} * directions_[code * d + c];
      if (product > best) {
        best = product;
        codes[i] = static_cast<int32_t>(code);
      }
    }
  }
  return codes;
}

std::vector<int32_t> VqEncoder::encode(Backend& b, const Picture& picture) {
  const int64_t size = image_size();
  check(picture.width == size && picture.height == size &&
            picture.rgb.size() == static_cast<size_t>(size * size * 3),
        "vq encode: a picture of the model's size");
  const Tensor x = input_.view(activation_, {size, size, 3});
  std::vector<float> values(picture.rgb.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<float>(picture.rgb[i]) / 255.0f - 0.5f) / 0.5f;
  }
  if (activation_ == DType::kF32) {
    b.upload(x, values.data());
  } else {
    std::vector<Bf16> rounded(values.size());
    std::transform(values.begin(), values.end(), rounded.begin(), to_bf16);
    b.upload(x, rounded.data());
  }
  const Tensor latent = latents(b, x);
  std::vector<float> z(latent.count());
  b.download(z.data(), latent);
  if (!std::all_of(z.begin(), z.end(), [](float value) { return std::isfinite(value); })) {
    throw Error(ErrorKind::kData,
                "the visual tokenizer's numbers stop being finite on the way from pixels to codes: "
                "its weights are damaged");
  }
  return nearest(z);
}

}  // namespace bifrons
