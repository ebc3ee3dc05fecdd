// SHA-1 as in FIPS 180-4: 80 rounds over blocks of 16 big-endian words.
#include "src/io/sha1.h"

#include <algorithm>
#include <bit>

#include "src/io/sha_message.h"

namespace bifrons {
namespace {

// The function and the constant of a round.
struct Round {
  uint32_t mixed, constant;
};

Round round_of(int t, uint32_t b, uint32_t c, uint32_t d) {
  if (t < 20) return {(b & c) | (~b & d), 0x5a827999};
  if (t < 40) return {b ^ c ^ d, 0x6ed9eba1};
  if (t < 60) return {(b & c) | (b & d) | (c & d), 0x8f1bbcdc};
  return {b ^ c ^ d, 0xca62c1d6};
}

}  // namespace

void Sha1::take_block(const uint8_t* block) {
  std::array<uint32_t, 80> w;
  for (int t = 0; t < 16; ++t) {
    const uint8_t* at = block + 4 * t;
    w[t] = uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
  }
  for (int t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  auto [a, b, c, d, e] = state_;
  for (int t = 0; t < 80; ++t) {
    const Round round = round_of(t, b, c, d);
    const uint32_t next = std::rotl(a, 5) + round.mixed + e + round.constant + w[t];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const std::array<uint32_t, 5> change{a, b, c, d, e};
  for (int i = 0; i < 5; ++i) state_[i] += change[i];
}

void Sha1::add(std::span<const uint8_t> bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), block_.size() - filled_);
    std::copy_n(bytes.begin(), n, block_.begin() + static_cast<ptrdiff_t>(filled_));
    filled_ += n;
    bytes = bytes.subspan(n);
    if (filled_ == block_.size()) {
      take_block(block_.data());
      filled_ = 0;
    }
  }
}

void Sha1::add(std::string_view text) {
  add(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

std::string Sha1::finish() {
  add(end_of_message(bytes_));
  return hex_text(state_);
}

}  // namespace bifrons
