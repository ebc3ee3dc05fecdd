// Names and shapes of the VQ decoder in the original form (spec 2.1).
#include <fmt/format.h>

#include "vision/vq_decoder.h"

namespace bifrons {
namespace {

void visit_residual(ResidualBlockWeights& w, const std::string& name, int64_t in, int64_t out,
                    WeightVisitor& visitor) {
  w.in = in;
  w.out = out;
  visitor.norm(w.norm1, name + ".norm1", in, true);
  visitor.convolution(w.conv1, name + ".conv1", out, in, 3, Padding::kSame);
  visitor.norm(w.norm2, name + ".norm2", out, true);
  visitor.convolution(w.conv2, name + ".conv2", out, out, 3, Padding::kSame);
  if (in != out) {
    visitor.convolution(w.shortcut, name + ".nin_shortcut", out, in, 1, Padding::kNone);
  }
}

void visit_attention(AttentionBlockWeights& w, const std::string& name, int64_t channels,
                     WeightVisitor& visitor) {
  const LinearPart qkv[] = {
      {name + ".q", channels}, {name + ".k", channels}, {name + ".v", channels}};
  visitor.norm(w.norm, name + ".norm", channels, true);
  visitor.linear(w.qkv, qkv, channels, true, LinearForm::kConvolution);
  visitor.linear(w.project, name + ".proj_out", channels, channels, true,
                 LinearForm::kConvolution);
}

}  // namespace

void visit(VqDecoderWeights& weights, const VqConfig& config, WeightVisitor& visitor) {
  const std::string vq = "gen_vision_model.", decoder = vq + "decoder.";
  const int64_t levels = static_cast<int64_t>(config.decoder_multipliers.size());
  int64_t channels = config.base_channels * config.decoder_multipliers.back();

  visitor.table(weights.codebook, vq + "quantize.embedding", config.codebook, config.code_dim,
                TableRows::kUnitLength);
  visitor.linear(weights.post_quant, vq + "post_quant_conv", config.latent_channels,
                 config.code_dim, true, LinearForm::kConvolution);
  visitor.convolution(weights.conv_in, decoder + "conv_in", channels, config.latent_channels, 3,
                      Padding::kSame);
  visit_residual(weights.mid_first, decoder + "mid.0", channels, channels, visitor);
  visit_attention(weights.mid_attention, decoder + "mid.1", channels, visitor);
  visit_residual(weights.mid_second, decoder + "mid.2", channels, channels, visitor);

  weights.levels.resize(levels);
  for (int64_t i = 0; i < levels; ++i) {
    VqLevelWeights& level = weights.levels[i];
    const std::string block = fmt::format("{}conv_blocks.{}.", decoder, i);
    const int64_t in = channels;
    channels = config.base_channels * config.decoder_multipliers[levels - 1 - i];
    level.channels = channels;
    level.residual.resize(config.res_blocks + 1);
    for (int64_t r = 0; r <= config.res_blocks; ++r) {
      visit_residual(level.residual[r], fmt::format("{}res.{}", block, r), r == 0 ? in : channels,
                     channels, visitor);
    }
    if (i == 0) {
      level.attention.resize(config.res_blocks + 1);
      for (int64_t r = 0; r <= config.res_blocks; ++r) {
        visit_attention(level.attention[r], fmt::format("{}attn.{}", block, r), channels, visitor);
      }
    }
    if (i + 1 < levels) {
      visitor.convolution(level.upsample, block + "upsample.conv", channels, channels, 3,
                          Padding::kSame);
    }
  }
  visitor.norm(weights.norm_out, decoder + "norm_out", channels, true);
  visitor.convolution(weights.conv_out, decoder + "conv_out", 3, channels, 3, Padding::kSame);
}

}  // namespace bifrons
