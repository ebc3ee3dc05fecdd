// Stub for machines that are not x86: only the portable unit.
#include <string>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"

namespace bifrons {
namespace {

constexpr std::string_view kNames[] = {"portable"};

}  // namespace

std::span<const std::string_view> cpu_instruction_sets() { return kNames; }

namespace cpu {

const InstructionSet& instruction_set(std::string_view name) {
  if (name == "auto" || name == kNames[0]) return portable_instruction_set();
  throw Error(ErrorKind::kUnavailable, "this machine has no instruction set \"" +
                                           std::string(name) + "\"; it has: portable");
}

void pause_briefly() {}

}  // namespace cpu
}  // namespace bifrons
