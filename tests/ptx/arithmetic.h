// Arithmetic instructions (without memory), for all lanes of a warp at once.
#pragma once

#include "tests/ptx/instruction.h"

namespace ptx {

// The function of an arithmetic instruction; null if it has none for its types.
Execute select_arithmetic(const Instruction& instruction);

// The same for cvt (conversions.cpp).
Execute select_conversion(const Instruction& instruction);

}  // namespace ptx
