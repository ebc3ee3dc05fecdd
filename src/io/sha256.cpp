// SHA-256 as in FIPS 180-4: 64 rounds over blocks of 16 big-endian words.
#include "src/io/sha256.h"

#include <algorithm>
#include <bit>

#include "src/io/sha256_blocks.h"
#include "src/io/sha_message.h"

namespace bifrons {
namespace {

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// One block with the operations of any processor.
void take_block(Sha256State& state, const uint8_t* block) {
  std::array<uint32_t, 64> w;
  for (int t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
  for (int t = 16; t < 64; ++t) {
    const uint32_t a = w[t - 15], b = w[t - 2];
    w[t] = w[t - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) + w[t - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int t = 0; t < 64; ++t) {
    const uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                         ((e & f) ^ (~e & g)) + kSha256Rounds[t] + w[t];
    const uint32_t two =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + one;
    d = c;
    c = b;
    b = a;
    a = one + two;
  }
  const std::array<uint32_t, 8> change{a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state[i] += change[i];
}

}  // namespace

void sha256_blocks(Sha256State& state, std::span<const uint8_t> blocks) {
  for (; blocks.size() >= kSha256Block; blocks = blocks.subspan(kSha256Block)) {
    take_block(state, blocks.data());
  }
}

void Sha256::take_blocks(std::span<const uint8_t> blocks) {
  static const Sha256Blocks kInstructions = sha256_instructions();
  (kInstructions != nullptr ? kInstructions : &sha256_blocks)(state_, blocks);
}

void Sha256::add(std::span<const uint8_t> bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    if (filled_ == 0 && bytes.size() >= block_.size()) {
      const size_t whole = bytes.size() / block_.size() * block_.size();
      take_blocks(bytes.first(whole));
      bytes = bytes.subspan(whole);
      continue;
    }
    const size_t n = std::min(bytes.size(), block_.size() - filled_);
    std::copy_n(bytes.begin(), n, block_.begin() + static_cast<ptrdiff_t>(filled_));
    filled_ += n;
    bytes = bytes.subspan(n);
    if (filled_ == block_.size()) {
      take_blocks(block_);
      filled_ = 0;
    }
  }
}

void Sha256::add(std::string_view text) { add(bytes_of(text)); }

std::string Sha256::finish() {
  add(end_of_message(bytes_));
  return hex_text(state_);
}

std::string sha256(std::span<const uint8_t> bytes) {
  Sha256 sum;
  sum.add(bytes);
  return sum.finish();
}

std::string sha256(std::string_view text) { return sha256(bytes_of(text)); }

}  // namespace bifrons
