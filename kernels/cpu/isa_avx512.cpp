// The inner loops for AVX-512 F, BW, VL and DQ.
#include "kernels/cpu/group_norm_avx512.h"

namespace bifrons::cpu {
namespace {

constexpr InstructionSet kAvx512 = avx512_table("avx512");

}  // namespace

const InstructionSet& avx512_instruction_set() { return kAvx512; }

}  // namespace bifrons::cpu
