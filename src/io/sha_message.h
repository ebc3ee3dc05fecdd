// What SHA-1 and SHA-256 share (FIPS 180-4): how a message ends, and how a digest is written.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace bifrons {

// The bytes behind a message of `bytes` bytes, which fill its last block of 64: a one bit, zeros,
// and the length in bits, big-endian (section 5.1.1).
inline std::vector<uint8_t> end_of_message(uint64_t bytes) {
  constexpr uint64_t kBlock = 64, kLengthBytes = 8;
  const uint64_t rest = (bytes + 1 + kLengthBytes) % kBlock;
  std::vector<uint8_t> end(1 + (kBlock - rest) % kBlock + kLengthBytes);
  end.front() = 0x80;
  const uint64_t bits = bytes * 8;
  for (uint64_t i = 0; i < kLengthBytes; ++i) {
    end[end.size() - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  }
  return end;
}

// The words as hex digits.
template <size_t kWords>
std::string hex_text(const std::array<uint32_t, kWords>& words) {
  std::string text;
  for (const uint32_t word : words) text += fmt::format("{:08x}", word);
  return text;
}

}  // namespace bifrons
