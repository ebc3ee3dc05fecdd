// The hot loops in AVX-512 F, BW, VL and DQ.
#include "kernels/cpu/avx512.h"

namespace bifrons::cpu {
namespace {

constexpr InstructionSet kAvx512 = table<Avx512>("avx512");

}  // namespace

const InstructionSet& avx512_instruction_set() { return kAvx512; }

}  // namespace bifrons::cpu
