// Compares passes of several pictures with passes of one, byte by byte.
#include "vision/networks/vq_together.h"

#include <algorithm>
#include <cstddef>

namespace bifrons {
namespace {

// Codes of `pictures` different pictures, one after another: a linear congruential sequence
// (Knuth's MMIX), whose upper bits are evenly spread.
std::vector<int32_t> test_codes(int64_t pictures, int64_t cells, int64_t codebook) {
  std::vector<int32_t> codes(pictures * cells);
  uint64_t state = 1;
  for (int32_t& code : codes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    code = static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(codebook));
  }
  return codes;
}

}  // namespace

std::vector<bool> exact_passes(VqDecoder& decoder, Backend& b, int64_t most) {
  check(most <= decoder.capacity(), "exact_passes: more pictures than the decoder can take");
  std::vector<bool> exact(std::max<int64_t>(2, most + 1), true);
  if (most < 2) return exact;
  const int64_t cells = decoder.cells();
  const std::vector<int32_t> ids = test_codes(most, cells, decoder.config().codebook);
  const Buffer codes = b.allocate(most * cells * size_of(DType::kI32));
  b.upload(codes.view(DType::kI32, {most * cells}), ids.data());
  const auto output = [&](int64_t first, int64_t pictures) {
    const Tensor signal = decoder.decode_to_signal(
        b, codes.view(DType::kI32, {pictures * cells}, first * cells * size_of(DType::kI32)));
    std::vector<std::byte> bytes(signal.bytes());
    b.download(bytes.data(), signal);
    return bytes;
  };
  std::vector<std::byte> alone;
  for (int64_t p = 0; p < most; ++p) {
    const std::vector<std::byte> one = output(p, 1);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  for (int64_t n = 2; n <= most; ++n) {
    const std::vector<std::byte> together = output(0, n);
    exact[n] = std::equal(together.begin(), together.end(), alone.begin());
  }
  return exact;
}

int64_t next_pass(const std::vector<bool>& exact, int64_t waiting) {
  int64_t n = std::min(waiting, static_cast<int64_t>(exact.size()) - 1);
  while (n > 1 && !exact[n]) --n;
  return n;
}

}  // namespace bifrons
