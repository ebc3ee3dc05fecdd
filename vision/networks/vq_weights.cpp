// Names and shapes of the VQ decoder in the original form (docs/janus-pro.md 2.1).
#include <fmt/format.h>

#include "vision/networks/vq_decoder.h"

namespace bifrons {
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
  visit(weights.mid_first, decoder + "mid.0", channels, channels, visitor);
  visit(weights.mid_attention, decoder + "mid.1", channels, visitor);
  visit(weights.mid_second, decoder + "mid.2", channels, channels, visitor);

  weights.levels.resize(levels);
  for (int64_t i = 0; i < levels; ++i) {
    VqLevelWeights& level = weights.levels[i];
    const std::string block = fmt::format("{}conv_blocks.{}.", decoder, i);
    const int64_t in = channels;
    channels = config.base_channels * config.decoder_multipliers[levels - 1 - i];
    level.channels = channels;
    level.residual.resize(config.res_blocks + 1);
    for (int64_t r = 0; r <= config.res_blocks; ++r) {
      visit(level.residual[r], fmt::format("{}res.{}", block, r), r == 0 ? in : channels, channels,
            visitor);
    }
    if (i == 0) {
      level.attention.resize(config.res_blocks + 1);
      for (int64_t r = 0; r <= config.res_blocks; ++r) {
        visit(level.attention[r], fmt::format("{}attn.{}", block, r), channels, visitor);
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
