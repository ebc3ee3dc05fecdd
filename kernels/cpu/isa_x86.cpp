// Finds the instruction sets that this x86 machine can run.
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"

namespace bifrons {
namespace {

// __builtin_cpu_supports() of clang 16 does not know these three (Intel SDM volume 2, CPUID).
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
}
bool has_amx() {  // AMX-BF16, AMX-TILE and AMX-INT8
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0 &&
         (d >> 25 & 1) != 0;
}

bool has_vnni() { return __builtin_cpu_supports("avx512vnni"); }

// A process must ask Linux for the AMX tile registers (Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  static const bool may = has_amx() && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return may;
}

// Best first; each list ends with a set that every machine has. AMD's bf16 dot product does twice
// the work of its FMA. On the Intel cores measured it does half (109 against 217 GFLOP/s per core),
// and converting the weights costs less: 17.2 against 13.0 GB/s at two rows.
constexpr std::string_view kDotProductFirst[] = {"avx512_bf16", "avx512", "avx2", "portable"};
constexpr std::string_view kTilesFirst[] = {"amx", "avx512", "avx512_bf16", "avx2", "portable"};
constexpr std::span kFmaFirst = std::span(kTilesFirst).subspan(1);
constexpr std::span kWithoutDotProduct = std::span(kDotProductFirst).subspan(1);

}  // namespace

std::span<const std::string_view> cpu_instruction_sets() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (!avx2) return kWithoutDotProduct.subspan(2);
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!avx512) return kWithoutDotProduct.subspan(1);
  // Every processor so far that has the first has the second; the units use both.
  if (!__builtin_cpu_supports("avx512bf16") || !has_vnni()) return kWithoutDotProduct;
  if (may_use_tiles()) return kTilesFirst;
  if (__builtin_cpu_is("intel")) return kFmaFirst;
  return kDotProductFirst;
}

namespace cpu {

const InstructionSet& instruction_set(std::string_view name) {
  const std::span<const std::string_view> names = cpu_instruction_sets();
  if (name == "auto") name = names.front();
  std::string known;
  for (const std::string_view candidate : names) {
    if (candidate == name) {
      if (name == "amx") return amx_instruction_set();
      if (name == "avx512_bf16") return avx512_bf16_instruction_set();
      if (name == "avx512") return avx512_instruction_set(has_vnni());
      if (name == "avx2") return avx2_instruction_set();
      return portable_instruction_set();
    }
    known += (known.empty() ? "" : ", ") + std::string(candidate);
  }
  throw Error(ErrorKind::kUnavailable, "this machine has no instruction set \"" +
                                           std::string(name) + "\"; it has: " + known);
}

void pause_briefly() { __builtin_ia32_pause(); }

}  // namespace cpu
}  // namespace bifrons
