// AVX-512 with the bf16 dot product: bf16 weights and activations are multiplied without
// conversion.
#include "kernels/cpu/group_norm_avx512.h"

namespace bifrons::cpu {
namespace {

// A vector of weights is 16 rows x 2 k here; a broadcast is 2 k of one row of x. vdpbf16ps rounds
// each of its two additions to nearest even and takes subnormals as zero, in and out.
struct Avx512Bf16 {
  using Vector = __m512;

  static constexpr int kLanes = Avx512::kLanes;
  static constexpr int kMaxRows = 8;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector broadcast(const std::byte* x) {
    int pair;
    __builtin_memcpy(&pair, x, 4);
    return _mm512_castsi512_ps(_mm512_set1_epi32(pair));
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) {
#ifdef __clang__  // clang 16 crashes when it optimises the intrinsic
    asm("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
#else
    return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#endif
  }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static Vector load_f32(const std::byte* from) { return _mm512_loadu_ps(from); }
};

constexpr InstructionSet avx512_bf16() {
  InstructionSet set = avx512_table("avx512_bf16");
  set.bf16_pairs = run_panel<Avx512Bf16, F32Weights<Avx512Bf16>>;  // dwords, not converted
  set.quantised = &kVnniQuantised;
  return set;
}

constexpr InstructionSet kAvx512Bf16 = avx512_bf16();

}  // namespace

const InstructionSet& avx512_bf16_instruction_set() { return kAvx512Bf16; }

}  // namespace bifrons::cpu
