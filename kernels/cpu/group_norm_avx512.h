// The inner loops of group norm over bf16 pictures in AVX-512; private to each translation unit
// that includes it. One instruction each extracts the even and the odd ones of 32 channels, and one
// more instruction interleaves the results.
#pragma once

#include "kernels/cpu/avx512.h"

namespace bifrons::cpu {
namespace {

// Sums of 32 kUnits channels; all accumulators stay in registers.
template <int kUnits>
void add_channel_sums(const NormPixels& from, const float* pivots, float* sums, float* squares) {
  constexpr int kVectors = 2 * kUnits;
  __m512 pivot[kVectors], sum[kVectors], square[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    pivot[v] = _mm512_loadu_ps(pivots + 16 * v);
    sum[v] = square[v] = _mm512_setzero_ps();
  }
  const std::byte* x = from.x;
  for (int64_t p = 0; p < from.pixels; ++p, x += from.x_pitch) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const std::byte* at = x + v / 2 * 64;
      const __m512 value = v % 2 == 0 ? Avx512::load_even_bf16(at) : Avx512::load_odd_bf16(at);
      const __m512 distance = _mm512_sub_ps(value, pivot[v]);
      sum[v] = _mm512_add_ps(sum[v], distance);
      square[v] = _mm512_fmadd_ps(distance, distance, square[v]);
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    _mm512_storeu_ps(sums + 16 * v, sum[v]);
    _mm512_storeu_ps(squares + 16 * v, square[v]);
  }
}

void channel_sums(const NormPixels& from, const float* pivots, float* sums, float* squares) {
  constexpr int kUnits = 4;  // 24 of 32 registers
  NormPixels part = from;
  int64_t c = 0;
  for (; c + 32 * kUnits <= from.channels; c += 32 * kUnits) {
    part.x = from.x + 2 * c;
    add_channel_sums<kUnits>(part, pivots + c, sums + c, squares + c);
  }
  for (; c < from.channels; c += 32) {
    part.x = from.x + 2 * c;
    add_channel_sums<1>(part, pivots + c, sums + c, squares + c);
  }
}

// (x - mean) * scale + shift, rounded to nearest even into the upper half of every lane; the lower
// half is undefined. Any NaN becomes the quiet NaN.
inline __m512i normalised(__m512 x, const NormFactors& by, int64_t at) {
  const __m512 distance = _mm512_sub_ps(x, _mm512_loadu_ps(by.mean + at));
  const __m512 y =
      _mm512_fmadd_ps(distance, _mm512_loadu_ps(by.scale + at), _mm512_loadu_ps(by.shift + at));
  const __m512i bits = _mm512_castps_si512(y), quiet = _mm512_set1_epi32(0x7fc00000);
  const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
  const __mmask16 nan = _mm512_cmp_ps_mask(y, y, _CMP_UNORD_Q);
  const __m512i raised = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
  const __m512i nearest = _mm512_mask_sub_epi32(raised, odd, raised, _mm512_set1_epi32(-1));
  return _mm512_mask_mov_epi32(nearest, nan, quiet);
}

// Looks up each lane's upper half in the table: the entry is in the lower half, the upper half
// holds the next entry.
inline __m512i looked_up(const uint16_t* table, __m512i bits) {
  return _mm512_i32gather_epi32(_mm512_srli_epi32(bits, 16), table, 2);
}

// One gather looks up 16 numbers: 3.9 ns for 16 elements in the L1/L2 caches. A polynomial for the
// exponential and a reciprocal take 6.0, single table reads 7.2-8.0. During gathers the core does
// not run ahead, hence the prefetch: 6.4 ms for a map of 384x384x128 against 9.3 without. Stores
// that bypass the caches are no faster (6.3).
template <bool kTable>
void normalise_pixels(const NormPixels& job, const NormFactors& by, const uint16_t* table) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  constexpr int kChoose = 0xe4;  // bitwise third ? first : second
  const std::byte* x = job.x;
  std::byte* y = job.y;
  for (int64_t p = 0; p < job.pixels; ++p, x += job.x_pitch, y += job.y_pitch) {
    for (int64_t c = 0; c < job.channels; c += 32) {
      __builtin_prefetch(x + 2 * c + kPrefetch, 0, 3);
      const __m512i even = normalised(Avx512::load_even_bf16(x + 2 * c), by, c);
      const __m512i odd = normalised(Avx512::load_odd_bf16(x + 2 * c), by, c + 16);
      const __m512i low = kTable ? looked_up(table, even) : _mm512_srli_epi32(even, 16);
      const __m512i high = kTable ? _mm512_slli_epi32(looked_up(table, odd), 16) : odd;
      _mm512_storeu_si512(y + 2 * c, _mm512_ternarylogic_epi32(high, low, upper, kChoose));
    }
  }
}

void normalise(const NormPixels& job, const NormFactors& by, const uint16_t* table) {
  table ? normalise_pixels<true>(job, by, table) : normalise_pixels<false>(job, by, nullptr);
}

// Function table of an AVX-512 instruction set, without bf16_pairs.
constexpr InstructionSet avx512_table(const char* name) {
  InstructionSet set = table<Avx512>(name);
  set.group_norm = {channel_sums, normalise};
  return set;
}

}  // namespace
}  // namespace bifrons::cpu
