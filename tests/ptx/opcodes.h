// Names of PTX instructions and types.
#pragma once

#include <string_view>

#include "tests/ptx/instruction.h"

namespace ptx {

// The type that a modifier names; kNone if it names none.
Type type_named(std::string_view modifier);

// Fills in everything that the dotted name of an instruction says ("ld.global.v4.u32"). False: no
// such instruction is known.
bool decode_name(std::string_view name, Instruction& instruction);

}  // namespace ptx
