// Instructions of three sources that no operator of C++ has.
#include <cmath>

#include "tests/ptx/arithmetic.h"
#include "tests/ptx/lanes.h"

namespace ptx {
namespace {

// a b + c of both halves, rounded once. A double holds the product; a float that is odd where
// something was cut off keeps what decides the rounding to bf16.
struct FmaPair {
  static uint32_t one(uint32_t a, uint32_t b, uint32_t c) {
    const auto number = [](uint32_t bits) { return double{std::bit_cast<float>(bits << 16)}; };
    const double exact = number(a) * number(b) + number(c);
    float cut = static_cast<float>(exact);
    if (cut == cut && cut != exact) {
      if (std::fabs(cut) > std::fabs(exact)) cut = std::nextafter(cut, 0.0f);
      cut = std::bit_cast<float>(std::bit_cast<uint32_t>(cut) | 1);
    }
    return bf16_of(cut);
  }
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    constexpr uint32_t kLow = 0xffff;
    return one(a >> 16, b >> 16, c >> 16) << 16 | one(a & kLow, b & kLow, c & kLow);
  }
};

// Bit by bit, the entry of a table of eight bits: 4 a + 2 b + c is its place.
void look_up(WarpRegisters& w, const Instruction& i, uint32_t active) {
  uint32_t* const to = w.lanes<uint32_t>(i.slots[0]);
  const uint32_t *const a = w.lanes<uint32_t>(i.slots[1]), *const b = w.lanes<uint32_t>(i.slots[2]),
                        *const c = w.lanes<uint32_t>(i.slots[3]),
                        *const table = w.lanes<uint32_t>(i.slots[4]);
  for_lanes(active, [&](int l) {
    uint32_t result = 0;
    for (uint32_t place = 0; place < 8; ++place) {
      if ((table[l] >> place & 1) == 0) continue;
      result |=
          (place & 4 ? a[l] : ~a[l]) & (place & 2 ? b[l] : ~b[l]) & (place & 1 ? c[l] : ~c[l]);
    }
    to[l] = result;
  });
}

}  // namespace

Execute select_three_sources(const Instruction& i) {
  if (i.op == Opcode::kLop3) return i.type == Type::kU32 ? look_up : nullptr;
  return i.type == Type::kBf16x2 ? ternary<uint32_t, uint32_t, FmaPair> : nullptr;
}

}  // namespace ptx
