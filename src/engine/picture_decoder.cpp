// Groups pictures into passes of the VQ decoder.
#include "src/engine/picture_decoder.h"

#include <algorithm>

#include "kernels/pictures.h"
#include "src/engine/scheduler.h"
#include "vision/networks/vq_together.h"

namespace bifrons {

PictureDecoder::PictureDecoder(VqDecoder& decoder, Backend& backend)
    : decoder_(decoder), backend_(backend) {
  allocate(1);
}

void PictureDecoder::allocate(int64_t pictures) {
  const int64_t size = decoder_.image_size();
  Buffer codes = backend_.allocate(pictures * decoder_.cells() * size_of(DType::kI32));
  Buffer pixels = backend_.allocate(pictures * size * size * 3);
  if (pictures > decoder_.capacity()) decoder_.allocate(backend_, pictures);
  codes_ = std::move(codes);
  pixels_ = std::move(pixels);
}

void PictureDecoder::reserve(int64_t pictures) {
  if (pictures <= stats_.asked) return;
  try {
    allocate(pictures);
    exact_ = exact_passes(decoder_, backend_, pictures);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnavailable) throw;
    return;
  }
  stats_.asked = pictures;
  stats_.together = next_pass(exact_, pictures);
}

std::vector<std::optional<Picture>> PictureDecoder::pass(
    std::span<const std::span<const int32_t>> codes) {
  const int64_t n = decoder_.cells(), size = decoder_.image_size();
  const auto pictures = static_cast<int64_t>(codes.size());
  std::vector<int32_t> ids;
  for (const std::span<const int32_t> each : codes) {
    check(static_cast<int64_t>(each.size()) == n, "decode: one code per cell of the grid");
    ids.insert(ids.end(), each.begin(), each.end());
  }
  const Tensor code = codes_.view(DType::kI32, {pictures * n});
  const Tensor pixel = pixels_.view(DType::kU8, {pictures, size, size, 3});
  backend_.upload(code, ids.data());
  decoder_.decode(backend_, pixel, code);
  std::vector<std::optional<Picture>> decoded;
  for (int64_t p = 0; p < pictures; ++p) {
    Picture& picture =
        decoded.emplace_back(Picture{size, size, std::vector<uint8_t>(size * size * 3)}).value();
    backend_.download(picture.rgb.data(), picture_of(pixel, p));
  }
  const std::vector<bool> finite = decoder_.were_finite(backend_, pictures);
  for (int64_t p = 0; p < pictures; ++p) {
    if (!finite[p]) decoded[p].reset();
  }
  ++stats_.passes;
  warm_ = true;
  return decoded;
}

void PictureDecoder::warm_up() {
  if (warm_) return;
  const std::vector<int32_t> zeros(decoder_.cells(), 0);
  const std::span<const int32_t> one(zeros);
  pass({&one, 1});
  --stats_.passes;  // it was nobody's picture
}

std::vector<DecodedPicture> PictureDecoder::decode(
    std::span<const std::span<const int32_t>> codes) {
  std::vector<DecodedPicture> all;
  while (!codes.empty()) {
    const auto n = static_cast<size_t>(next_pass(exact_, static_cast<int64_t>(codes.size())));
    std::vector<std::optional<Picture>> some = pass(codes.first(n));
    for (size_t p = 0; p < n; ++p) {
      for (int again = 1; again < kAttempts && !some[p]; ++again) {
        some[p] = std::move(pass(codes.subspan(p, 1))[0]);
      }
      if (some[p]) {
        all.push_back({.picture = *std::move(some[p])});
      } else {
        all.push_back({.error = Error(ErrorKind::kData,
                                      "the visual tokenizer's numbers stop being finite on the way "
                                      "from codes to pixels: its weights are damaged")});
      }
    }
    codes = codes.subspan(n);
    stats_.pictures += static_cast<int64_t>(n);
  }
  return all;
}

}  // namespace bifrons
