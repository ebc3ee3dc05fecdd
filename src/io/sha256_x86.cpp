// SHA-256 with the SHA extensions of x86: one instruction is two rounds. This file is compiled with
// flags of its own, so nothing of it may run before the processor was asked.
#include <cpuid.h>
#include <immintrin.h>

#include "src/io/sha256_blocks.h"

namespace bifrons {
namespace {

__m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }

// The instructions keep the state as ABEF and CDGH, with A and C in the highest lanes.
void blocks_x86(Sha256State& state, std::span<const uint8_t> blocks) {
  const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);  // big-endian words
  const __m128i cdab = _mm_shuffle_epi32(load(&state[0]), 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(load(&state[4]), 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
  for (; blocks.size() >= kSha256Block; blocks = blocks.subspan(kSha256Block)) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];  // the last 16 words of the schedule
#pragma GCC unroll 16
    for (int step = 0; step < 16; ++step) {
      __m128i& now = w[step % 4];
      if (step < 4) {
        now = _mm_shuffle_epi8(load(blocks.data() + 16 * step), order);
      } else {
        const __m128i last = w[(step + 3) % 4];
        const __m128i middle = _mm_alignr_epi8(last, w[(step + 2) % 4], 4);
        now = _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(step + 1) % 4]), middle);
        now = _mm_sha256msg2_epu32(now, last);
      }
      const __m128i keyed = _mm_add_epi32(now, load(&kSha256Rounds[4 * step]));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  const auto store = [](uint32_t* to, __m128i words) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), words);
  };
  store(&state[0], _mm_blend_epi16(feba, dchg, 0xf0));
  store(&state[4], _mm_alignr_epi8(dchg, feba, 8));
}

}  // namespace

Sha256Blocks sha256_instructions() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0) return nullptr;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return nullptr;
  constexpr unsigned kSha = 1u << 29;
  return (b & kSha) != 0 ? &blocks_x86 : nullptr;
}

}  // namespace bifrons
