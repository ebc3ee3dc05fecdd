// The inner loops for AVX2, FMA and F16C.
#include <immintrin.h>

#include "kernels/cpu/head_kernels.h"

namespace bifrons::cpu {
namespace {

struct Avx2 {
  using Vector = __m256;
  typedef long long Words __attribute__((vector_size(32), may_alias));

  static constexpr int kLanes = 8;
  static constexpr int kMaxRows = 3;  // 12 of 16 registers hold sums

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector broadcast(const std::byte* x) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(x));
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
  static float sum(Vector x) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static Vector load_f32(const std::byte* from) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
  }
  static __m256i load_bits(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static __m128i load_halves(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Vector load_even_bf16(const std::byte* from) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(load_bits(from), 16));
  }
  static Vector load_odd_bf16(const std::byte* from) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    return _mm256_castsi256_ps(_mm256_and_si256(load_bits(from), upper));
  }
  static Vector load_bf16(const std::byte* from) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_halves(from)), 16));
  }
  static Vector load_f16(const std::byte* from) { return _mm256_cvtph_ps(load_halves(from)); }
  static Vector load_int8(const std::byte* from) {
    const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
  }
};

constexpr InstructionSet avx2() {
  InstructionSet set = table<Avx2>("avx2");
  set.quantised = &kAvx2Quantised;
  return set;
}

constexpr InstructionSet kAvx2 = avx2();

}  // namespace

const InstructionSet& avx2_instruction_set() { return kAvx2; }

}  // namespace bifrons::cpu
