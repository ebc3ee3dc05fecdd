// Element types of tensors and the exact conversions between them.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace bifrons {

enum class DType : uint8_t { kF32, kBf16, kF16, kI32, kU8 };

constexpr int64_t size_of(DType type) {
  return type == DType::kU8 ? 1 : type == DType::kF32 || type == DType::kI32 ? 4 : 2;
}

constexpr std::string_view name_of(DType type) {
  switch (type) {
    case DType::kF32:
      return "f32";
    case DType::kBf16:
      return "bf16";
    case DType::kF16:
      return "f16";
    case DType::kI32:
      return "i32";
    case DType::kU8:
      return "u8";
  }
  return "?";
}

// Upper half of an IEEE float.
struct Bf16 {
  uint16_t bits = 0;
};

// IEEE half precision.
struct F16 {
  uint16_t bits = 0;
};

constexpr float to_float(Bf16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }

// Round to nearest even; NaN stays NaN (quiet).
constexpr Bf16 to_bf16(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((u >> 16) | 0x40u)};
  return {static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

// Exact, subnormals included.
constexpr float to_float(F16 x) {
  const uint32_t sign = uint32_t{x.bits & 0x8000u} << 16;
  const uint32_t exponent = (x.bits >> 10) & 0x1fu;
  const uint32_t mantissa = x.bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xffu : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

constexpr float round_to_bf16(float x) { return to_float(to_bf16(x)); }

}  // namespace bifrons
