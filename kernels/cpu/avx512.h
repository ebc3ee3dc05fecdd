// Vectors of 16 floats for the AVX-512 translation units; private to each unit that includes it.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/head_kernels.h"

namespace bifrons::cpu {
namespace {

struct Avx512 {
  using Vector = __m512;
  typedef long long Words __attribute__((vector_size(64), may_alias));

  static constexpr int kLanes = 16;
  static constexpr int kMaxRows = 8;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector broadcast(const std::byte* x) {
    return _mm512_set1_ps(*reinterpret_cast<const float*>(x));
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static float sum(Vector x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    return sum_of_four(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
  }
  // sum() of four vectors at once, with the same additions in the same order. The intrinsics with a
  // full mask give the same instructions; g++ 12 warns about the plain ones (GCC bug 105593).
  static void four_sums(const Vector* x, float* out) {
    constexpr __mmask16 kAll = 0xffff;
    const Vector ab = add_halves(x[0], x[1]), cd = add_halves(x[2], x[3]);
    const Vector fours = _mm512_add_ps(_mm512_maskz_shuffle_f32x4(kAll, ab, cd, 0x88),
                                       _mm512_maskz_shuffle_f32x4(kAll, ab, cd, 0xdd));
    const Vector twos = _mm512_add_ps(fours, _mm512_maskz_shuffle_ps(kAll, fours, fours, 0xee));
    const Vector ones = _mm512_add_ps(twos, _mm512_maskz_movehdup_ps(kAll, twos));
    const Vector packed = _mm512_maskz_compress_ps(0x1111, ones);
    _mm_storeu_ps(out, _mm512_maskz_extractf32x4_ps(0xf, packed, 0));
  }
  // The lower half of a plus its upper half, then the same for b.
  static Vector add_halves(Vector a, Vector b) {
    constexpr __mmask16 kAll = 0xffff;
    return _mm512_add_ps(_mm512_maskz_shuffle_f32x4(kAll, a, b, 0x44),
                         _mm512_maskz_shuffle_f32x4(kAll, a, b, 0xee));
  }
  static float sum_of_four(__m128 x) {
    const __m128 two = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static Vector load_f32(const std::byte* from) { return _mm512_loadu_ps(from); }
  static Vector load_even_bf16(const std::byte* from) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(from), 16));
  }
  static Vector load_odd_bf16(const std::byte* from) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(from), upper));
  }
  static __m256i load_halves(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Vector load_bf16(const std::byte* from) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_halves(from)), 16));
  }
  static Vector load_f16(const std::byte* from) { return _mm512_cvtph_ps(load_halves(from)); }
  static Vector load_int8(const std::byte* from) {
    const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen));
  }
};

}  // namespace
}  // namespace bifrons::cpu
