// How a key or value becomes a scale and 8-bit codes in the KV cache: the arithmetic that all
// devices share, so that all of them store the same bytes (KvCache in kernels/backend.h).
#pragma once

#include <bit>
#include <cstdint>

namespace bifrons {

// Largest code. -128 is not used, so that the codes are symmetric.
inline constexpr float kLargestCode = 127.0f;

// Magnitudes as integers have the order of the numbers, with infinity and NaN above all: so the
// largest one does not depend on the order in which it is found.
constexpr uint32_t magnitude_bits(float x) { return std::bit_cast<uint32_t>(x) & 0x7fffffffu; }

struct CacheScale {
  float step = 0;           // the scale that is stored
  float codes_per_one = 0;  // 0: all codes are 0

  // For the largest magnitude_bits() of the elements.
  static constexpr CacheScale of(uint32_t largest) {
    constexpr uint32_t kInfinity = 0x7f800000u, kQuietNan = 0x7fc00000u;
    // 127 / m stays finite, and so does every product with an element, above this.
    constexpr float kSmallest = 0x1p-100f;
    if (largest >= kInfinity) return {std::bit_cast<float>(kQuietNan), 0.0f};
    const float m = std::bit_cast<float>(largest);
    if (m < kSmallest) return {0.0f, 0.0f};
    return {m / kLargestCode, kLargestCode / m};
  }
  // Rounds to the nearest code, ties to even. Adding and subtracting 1.5 * 2^23 leaves no bits of a
  // fraction. The product is at most 127 and a rounding error, far from 127.5.
  constexpr int8_t code(float x) const {
    constexpr float kNoFraction = 0x1.8p23f;
    return static_cast<int8_t>((x * codes_per_one + kNoFraction) - kNoFraction);
  }
};

}  // namespace bifrons
