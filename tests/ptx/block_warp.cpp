// Warp-wide instructions: all lanes of a warp meet for them.
#include <bit>

#include "tests/ptx/block.h"
#include "tests/ptx/lanes.h"

namespace ptx {
namespace {

constexpr int kM = 16, kN = 8, kK = 16;

float half_of(uint32_t pair, int upper) {
  return std::bit_cast<float>(upper ? pair & 0xffff0000u : pair << 16);
}

// c += a b. Each sum is computed in the order of k.
#if defined(__x86_64__) && defined(__OPTIMIZE__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void multiply_tiles(float (&c)[kM][kN], const float (&a)[kM][kK], const float (&b)[kK][kN]) {
  for (int row = 0; row < kM; ++row) {
    for (int k = 0; k < kK; ++k) {
      for (int n = 0; n < kN; ++n) {
        // Products of bf16 are exact in f32. So there is one rounding, as in a fused operation.
        c[row][n] += a[row][k] * b[k][n];
      }
    }
  }
}

}  // namespace

void Block::meet(Warp& warp, const Instruction& i) {
  if (i.op == Opcode::kShuffle) return shuffle(warp, i);
  if (i.op == Opcode::kMma) return multiply(warp, i);
  ++warp.warp_barriers;
  warp.moment = 0;
  for_lanes(warp.alive, [&](int lane) {
    const auto mask = static_cast<uint32_t>(warp.view.value(i.slots[0], lane));
    if ((mask & warp.alive) != warp.alive) find(i, "the mask leaves out lanes that are here");
  });
}

void Block::shuffle(Warp& warp, const Instruction& i) {
  uint32_t values[kWarp];
  const uint32_t* const from = warp.view.lanes<uint32_t>(i.slots[2]);
  for (int lane = 0; lane < kWarp; ++lane) values[lane] = from[lane];
  for_lanes(warp.alive, [&](int lane) {
    const auto value = [&](int slot) {
      return static_cast<uint32_t>(warp.view.value(i.slots[slot], lane));
    };
    if (value(4) != 31) stop(i, "a shuffle within parts of a warp");
    const int by = static_cast<int>(value(3)) & 31;
    const int source = i.variant == Variant::kButterfly ? lane ^ by : by;
    const uint32_t mask = value(5);
    if ((mask & warp.alive) != warp.alive) {
      find(i, "the mask leaves out lanes that are here");
    }
    if ((mask & ~warp.alive) != 0) find(i, "the mask names lanes that have left");
    if ((warp.alive >> source & 1) == 0) find(i, "shuffles from a lane that has left");
    warp.view.set(i.slots[0], lane, values[source]);
  });
  if (i.slots[1].used) warp.view.predicate(i.slots[1]) |= warp.alive;
}

// mma.m16n8k16 (PTX ISA). With g = lane / 4 and t = lane % 4, a lane holds these elements:
// a: pairs at (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8);
// b: (2t, g) and (2t + 8, g), each with the element below it;
// c: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
void Block::multiply(Warp& warp, const Instruction& i) {
  if (warp.alive != kAllLanes) stop(i, "needs all lanes of a warp");
  float a[kM][kK], b[kK][kN], c[kM][kN];
  const uint32_t* words[kMostSlots];
  for (int slot = 0; slot < kMostSlots; ++slot) {
    words[slot] = warp.view.lanes<uint32_t>(i.slots[slot]);
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    const int g = lane / 4, t = lane % 4;
    for (int e = 0; e < 8; ++e) {
      const int pair = e / 2;
      a[g + pair % 2 * 8][2 * t + e % 2 + pair / 2 * 8] = half_of(words[4 + pair][lane], e % 2);
    }
    for (int e = 0; e < 4; ++e) {
      b[2 * t + e % 2 + e / 2 * 8][g] = half_of(words[8 + e / 2][lane], e % 2);
      c[g + e / 2 * 8][2 * t + e % 2] = std::bit_cast<float>(words[10 + e][lane]);
    }
  }
  multiply_tiles(c, a, b);
  for (int e = 0; e < 4; ++e) {
    uint32_t* const to = warp.view.lanes<uint32_t>(i.slots[e]);
    for (int lane = 0; lane < kWarp; ++lane) {
      to[lane] = std::bit_cast<uint32_t>(c[lane / 4 + e / 2 * 8][2 * (lane % 4) + e % 2]);
    }
  }
}

}  // namespace ptx
