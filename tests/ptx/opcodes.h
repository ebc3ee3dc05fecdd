// Names of PTX instructions and types.
#pragma once

#include <string_view>

#include "tests/ptx/instruction.h"

namespace ptx {

// The type of a modifier; kNone if it is no type.
Type type_named(std::string_view modifier);

// Fills in everything that the full name of an instruction contains ("ld.global.v4.u32"). Returns
// false for an unknown instruction.
bool decode_name(std::string_view name, Instruction& instruction);

}  // namespace ptx
