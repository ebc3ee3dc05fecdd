// The inner loops for AVX-512 F, BW, VL and DQ.
#include "kernels/cpu/group_norm_avx512.h"

namespace bifrons::cpu {
namespace {

constexpr InstructionSet with(const QuantisedKernels& quantised) {
  InstructionSet set = avx512_table("avx512");
  set.quantised = &quantised;
  return set;
}

constexpr InstructionSet kAvx512 = with(kAvx2Quantised);
constexpr InstructionSet kAvx512Vnni = with(kVnniQuantised);

}  // namespace

const InstructionSet& avx512_instruction_set(bool vnni) { return vnni ? kAvx512Vnni : kAvx512; }

}  // namespace bifrons::cpu
