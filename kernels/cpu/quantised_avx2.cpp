// Quantised panels for AVX2: weights widened to 16 bits, products of two neighbouring k added.
#include <immintrin.h>

#include "kernels/cpu/quantised_kernels.h"

namespace bifrons::cpu {
namespace {

struct Avx2Dot {
  static constexpr int kMaxRows = 2;  // 8 of 16 registers hold sums of integers
  static constexpr int kParts = 4;    // of 4 weight rows each

  // Four k of four weight rows, widened. `shift`: 4 for the second four k of int4.
  template <typename Weights>
  [[gnu::always_inline]] static __m256i load(const std::byte* at, int shift) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    if constexpr (Weights::kGroup == 32) {
      bytes = _mm_and_si128(_mm_srli_epi16(bytes, shift), _mm_set1_epi8(15));
    }
    return _mm256_cvtepu8_epi16(bytes);
  }

  template <typename Weights, int kRows>
  [[gnu::always_inline]] static void multiply(const std::byte* panel, int shift, const std::byte* x,
                                              __m256i (*sums)[kParts]) {
    __m256i four[kRows];
#pragma GCC unroll 2
    for (int m = 0; m < kRows; ++m) {
      long long words;
      __builtin_memcpy(&words, x + m * 2 * Weights::kGroup, 8);
      four[m] = _mm256_set1_epi64x(words);
    }
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      const __m256i w = load<Weights>(panel + 16 * p, shift);
#pragma GCC unroll 2
      for (int m = 0; m < kRows; ++m) {
        sums[m][p] = _mm256_add_epi32(sums[m][p], _mm256_madd_epi16(w, four[m]));
      }
    }
  }

  template <typename Weights, int kRows>
  [[gnu::always_inline]] static void multiply_group(const std::byte* panel, const std::byte* x,
                                                    __m256i (*sums)[kParts]) {
    if constexpr (Weights::kGroup == 128) {
      for (int k = 0; k < Weights::kGroup; k += 4, panel += 64) {
        __builtin_prefetch(panel + kPrefetch, 0, 3);
        multiply<Weights, kRows>(panel, 0, x + 2 * k, sums);
      }
    } else {
      for (int k = 0; k < Weights::kGroup; k += 8, panel += 64) {
        __builtin_prefetch(panel + kPrefetch, 0, 3);
        multiply<Weights, kRows>(panel, 0, x + 2 * k, sums);
        multiply<Weights, kRows>(panel, 4, x + 2 * k + 8, sums);
      }
    }
  }

  // The sums of eight weight rows from pairs of partial sums of four rows each.
  static __m256i join(__m256i first, __m256i second) {
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(first, second), 0xd8);
  }
  static __m256 scales(const std::byte* at) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }

  template <typename Weights, int kRows>
  static void accumulate(const QuantisedJob& job, const RowBlock& block, float* sums) {
    __m256 sum[kRows][2];
#pragma GCC unroll 2
    for (int m = 0; m < kRows; ++m) sum[m][0] = sum[m][1] = _mm256_setzero_ps();
    const std::byte* panel = job.panel;
    const std::byte* of_groups = panel;  // scales
    for (int64_t g = 0; g < job.groups; ++g, panel += Weights::kValueBytes) {
      if (g % 2 == 0) {
        of_groups = panel;
        panel += 64;
      }
      const int64_t at = g * job.rows + block.first;
      __m256i parts[kRows][kParts];
#pragma GCC unroll 2
      for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 4
        for (int p = 0; p < kParts; ++p) parts[m][p] = _mm256_setzero_si256();
      }
      multiply_group<Weights, kRows>(panel, job.x + at * 2 * Weights::kGroup, parts);
#pragma GCC unroll 2
      for (int m = 0; m < kRows; ++m) {
        const __m256i offset = _mm256_set1_epi32(job.x_offsets[at + m]);
        const __m256 sx = _mm256_set1_ps(job.x_scales[at + m]);
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) {
          const __m256i total =
              _mm256_add_epi32(join(parts[m][2 * h], parts[m][2 * h + 1]), offset);
          const __m256 scale = _mm256_mul_ps(sx, scales(of_groups + g % 2 * 32 + 16 * h));
          sum[m][h] = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(total), sum[m][h]);
        }
      }
    }
#pragma GCC unroll 2
    for (int m = 0; m < kRows; ++m) {
      _mm256_storeu_ps(sums + m * kQuantisedRows, sum[m][0]);
      _mm256_storeu_ps(sums + m * kQuantisedRows + 8, sum[m][1]);
    }
  }
};

}  // namespace

const QuantisedKernels kAvx2Quantised = quantised_table<Avx2Dot>(true);

}  // namespace bifrons::cpu
