// SHA-1 (FIPS 180-4), also for bytes that arrive in pieces. git names its objects by it. It is no
// defence against an attacker who makes both of two files.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifrons {

class Sha1 {
 public:
  void add(std::span<const uint8_t> bytes);
  void add(std::string_view text);
  // Returns the digest as 40 hex digits. No bytes may be added afterwards.
  std::string finish();

 private:
  void take_block(const uint8_t* block);

  std::array<uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::array<uint8_t, 64> block_{};
  size_t filled_ = 0;  // bytes in block_ that are not hashed yet
  uint64_t bytes_ = 0;
};

}  // namespace bifrons
