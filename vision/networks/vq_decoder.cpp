// The VQ decoder as a list of ops; maps are NHWC, of one or several pictures.
#include "vision/networks/vq_decoder.h"

#include <algorithm>
#include <utility>

namespace bifrons {
int64_t VqDecoder::image_size() const { return grid_ << (config_.decoder_multipliers.size() - 1); }

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

Tensor VqDecoder::decode_to_signal(Backend& b, const Tensor& codes) {
  const VqDecoderWeights& w = weights_;
  const int64_t pictures = codes.count() / (grid_ * grid_), n = pictures * grid_ * grid_;
  check(pictures >= 1 && codes.count() == n, "vq decode: one code per cell of the grid");
  check(pictures <= capacity(), "vq decode: allocate first");

  const Tensor embedded = blocks_.area(0, pictures, grid_, config_.code_dim);
  const Tensor latent = blocks_.area(1, pictures, grid_, config_.latent_channels);
  b.gather(embedded.reshape({n, config_.code_dim}), w.codebook, codes);
  b.linear(latent.reshape({n, config_.latent_channels}), embedded.reshape({n, config_.code_dim}),
           w.post_quant);

  Tensor x = blocks_.area(2, pictures, grid_, w.mid_first.in);
  b.conv2d(x, latent, w.conv_in);
  x = blocks_.residual_block(b, x, w.mid_first);
  blocks_.attention_block(b, x, w.mid_attention);
  x = blocks_.residual_block(b, x, w.mid_second);

  for (size_t i = 0; i < w.levels.size(); ++i) {
    const VqLevelWeights& level = w.levels[i];
    for (size_t r = 0; r < level.residual.size(); ++r) {
      x = blocks_.residual_block(b, x, level.residual[r]);
      if (!level.attention.empty()) blocks_.attention_block(b, x, level.attention[r]);
    }
    if (i + 1 == w.levels.size()) break;
    const int64_t side = 2 * x.shape[1];
    const Tensor wide = blocks_.area(blocks_.next_area(x), pictures, side, level.channels);
    b.upsample2x(wide, x);
    x = blocks_.area(blocks_.next_area(wide), pictures, side, level.channels);
    b.conv2d(x, wide, level.upsample);
  }

  const Tensor normed = blocks_.normed(b, x, w.norm_out);
  const Tensor signal = blocks_.area(blocks_.next_area(normed), pictures, x.shape[1], 3);
  b.conv2d(signal, normed, w.conv_out);
  return signal;
}

void VqDecoder::allocate(Backend& b, int64_t pictures) {
  Buffer words = b.allocate(pictures * size_of(DType::kI32));
  blocks_.allocate(b, pictures);
  not_finite_ = std::move(words);
}

void VqDecoder::decode(Backend& b, const Tensor& pixels, const Tensor& codes) {
  const Tensor signal = decode_to_signal(b, codes);
  const int64_t pictures = signal.shape[0], size = image_size();
  b.to_pixels(pixels.reshape({pictures, size, size, 3}), signal,
              not_finite_.view(DType::kI32, {pictures}));
}

std::vector<bool> VqDecoder::were_finite(Backend& b, int64_t pictures) {
  const Tensor words = not_finite_.view(DType::kI32, {pictures});
  std::vector<int32_t> seen(pictures);
  b.download(seen.data(), words);
  std::vector<bool> finite;
  for (const int32_t word : seen) finite.push_back(word == 0);
  if (std::find(finite.begin(), finite.end(), false) != finite.end()) {
    std::fill(seen.begin(), seen.end(), 0);
    b.upload(words, seen.data());
  }
  return finite;
}

}  // namespace bifrons
