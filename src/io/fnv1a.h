// FNV-1a with 64 bits: a short, stable fingerprint that is no defence against an attacker.
#pragma once

#include <cstdint>
#include <string_view>

namespace bifrons {

constexpr uint64_t kFnv1aStart = 0xcbf29ce484222325ull;

// The state after one more value, usually a byte.
constexpr uint64_t fnv1a_step(uint64_t state, uint64_t value) {
  return (state ^ value) * 0x100000001b3ull;
}

// The state after all of `bytes`.
constexpr uint64_t fnv1a(std::string_view bytes, uint64_t state = kFnv1aStart) {
  for (const char c : bytes) state = fnv1a_step(state, static_cast<unsigned char>(c));
  return state;
}

}  // namespace bifrons
