// Which of the units this x86 machine can run.
#include <string>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"

namespace bifrons {
namespace {

// Every set contains those after it.
constexpr std::string_view kNames[] = {"avx512_bf16", "avx512", "avx2", "portable"};

size_t first_supported() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  return bf16 ? 0 : avx512 ? 1 : avx2 ? 2 : 3;
}

}  // namespace

std::span<const std::string_view> cpu_instruction_sets() {
  return std::span(kNames).subspan(first_supported());
}

namespace cpu {

const InstructionSet& instruction_set(std::string_view name) {
  const std::span<const std::string_view> names = cpu_instruction_sets();
  if (name == "auto") name = names.front();
  std::string known;
  for (const std::string_view candidate : names) {
    if (candidate == name) {
      if (name == "avx512_bf16") return avx512_bf16_instruction_set();
      if (name == "avx512") return avx512_instruction_set();
      if (name == "avx2") return avx2_instruction_set();
      return portable_instruction_set();
    }
    known += (known.empty() ? "" : ", ") + std::string(candidate);
  }
  throw Error(ErrorKind::kUsage, "this machine has no instruction set \"" + std::string(name) +
                                     "\"; it has: " + known);
}

void pause_briefly() { __builtin_ia32_pause(); }

}  // namespace cpu
}  // namespace bifrons
