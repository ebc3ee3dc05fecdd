// SHA-256 (FIPS 180-4), also for bytes that arrive in pieces.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifrons {

class Sha256 {
 public:
  void add(std::span<const uint8_t> bytes);
  void add(std::string_view text);
  // Returns the digest as 64 hex digits. No bytes may be added afterwards.
  std::string finish();

 private:
  void take_blocks(std::span<const uint8_t> blocks);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  size_t filled_ = 0;  // bytes in block_ that are not hashed yet
  uint64_t bytes_ = 0;
};

std::string sha256(std::span<const uint8_t> bytes);
std::string sha256(std::string_view text);

}  // namespace bifrons
