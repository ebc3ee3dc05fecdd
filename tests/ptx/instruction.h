// A parsed PTX kernel. The operands of its instructions are positions in a warp's register file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ptx {

constexpr int kWarp = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;

enum class Type : uint8_t {
  kNone,
  kPred,
  kU8,
  kS8,
  kU16,
  kS16,
  kU32,
  kS32,
  kF32,
  kU64,
  kS64,
  kF64,
  kBf16x2  // bit types (.b) are read as unsigned
};

// Size in memory, in bytes.
constexpr int width_of(Type type) {
  switch (type) {
    case Type::kU8:
    case Type::kS8:
    case Type::kPred:
      return 1;
    case Type::kU16:
    case Type::kS16:
      return 2;
    case Type::kU64:
    case Type::kS64:
    case Type::kF64:
      return 8;
    default:
      return 4;
  }
}
constexpr bool is_signed(Type type) {
  return type == Type::kS8 || type == Type::kS16 || type == Type::kS32 || type == Type::kS64;
}
constexpr bool is_float(Type type) { return type == Type::kF32 || type == Type::kF64; }

enum class Opcode : uint8_t {
  // One lane, without memory (arithmetic.h).
  kAdd,
  kSub,
  kMul,
  kMulHigh,
  kMulWide,
  kMad,
  kMadWide,
  kFma,
  kDiv,
  kRem,
  kMin,
  kMax,
  kNeg,
  kAbs,
  kAnd,
  kOr,
  kXor,
  kNot,
  kShl,
  kShr,
  kSetp,
  kSelp,
  kMov,
  kPack,
  kUnpack,
  kCvt,
  kEx2,
  kRcp,
  kSqrt,
  kBfi,
  kPrmt,
  kLop3,
  kCopysign,
  // One lane, with memory.
  kLoad,
  kStore,
  kAtom,
  kCopy,
  kCommit,
  kWaitGroup,
  kFence,
  // Control flow.
  kBranch,
  kReturn,
  kNothing,
  kGridWait,
  // Whole warp: all lanes meet.
  kShuffle,
  kMma,
  kWarpBarrier,
  // Whole block.
  kBarrier,
  kBarrierCount,
};

enum class Space : uint8_t { kNone, kParam, kShared, kGlobal };

enum class Rounding : uint8_t { kNearest, kDown, kZero, kSaturate };

enum class Compare : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu };

enum class Variant : uint8_t { kNone, kAdd, kMax, kButterfly, kIndex };

// Position of a register or constant of all lanes: 32 words of 4 bytes (8 if wide). A predicate is
// one word with one bit per lane.
struct Slot {
  uint32_t at = 0;  // offset in bytes
  bool constant = false;
  bool wide = false;
  bool used = false;
};

struct Address {
  Slot base;  // unset: the address is absolute
  int64_t displacement = 0;
};

struct Instruction;
struct WarpRegisters;

// Executes an instruction for the lanes in `active`.
using Execute = void (*)(WarpRegisters&, const Instruction&, uint32_t active);

constexpr int kMostSlots = 14;

// Slots by opcode: results first, then sources in the order of the text.
// Shuffle: result, result predicate (optional), value, lane, clamp, mask.
// Mma: 4 of d, 4 of a, 2 of b, 4 of c.
// Copy: size of the source.
// Atom: old value, operand.
struct Instruction {
  Opcode op = Opcode::kNothing;
  Type type = Type::kNone;  // type of the operation; for cvt, of the source
  Type to = Type::kNone;    // cvt: type of the result
  Space space = Space::kNone;
  Rounding rounding = Rounding::kNearest;
  Compare compare = Compare::kEq;
  Variant variant = Variant::kNone;
  bool read_only = false;  // ld.global.nc
  bool negated = false;    // guard is negated
  uint8_t vector = 1;
  Slot guard;
  std::array<Slot, kMostSlots> slots;
  Address address, source;  // `source`: source of a copy
  int target = -1;          // branch: index of the target
  int64_t number = 0;       // wait: groups; copy: bytes
  int line = 0;
  std::string text;  // opcode with all modifiers
  Execute execute = nullptr;
};

struct Parameter {
  size_t offset = 0, bytes = 0;
};

struct Kernel {
  std::string name, file;
  std::vector<Instruction> code;
  std::vector<Parameter> parameters;
  size_t parameter_bytes = 0;
  size_t register_bytes = 0;         // bytes of registers of one warp
  std::vector<std::byte> constants;  // addressed by constant slots
  std::array<Slot, 3> thread_index;  // %tid; the other special registers follow
  std::array<Slot, 3> block_size, block_index, grid_size;
  int64_t static_shared = 0;  // bytes
  int most_threads = 1024;    // threads of a block (.maxntid)
  // Size of the smallest access of an instruction, in bytes: 1, 2 or 4.
  int shared_granule = 4, global_granule = 4;
};

// Register file of one warp.
struct WarpRegisters {
  std::byte* registers;
  const std::byte* constants;
  const char* mistake = nullptr;  // mistake of the last instruction, or null

  template <typename Word>
  Word* lanes(const Slot& slot) {
    // Constants are never written.
    return reinterpret_cast<Word*>((slot.constant ? const_cast<std::byte*>(constants) : registers) +
                                   slot.at);
  }
  uint32_t& predicate(const Slot& slot) { return *lanes<uint32_t>(slot); }
  uint64_t value(const Slot& slot, int lane) {
    return slot.wide ? lanes<uint64_t>(slot)[lane] : lanes<uint32_t>(slot)[lane];
  }
  void set(const Slot& slot, int lane, uint64_t value) {
    if (slot.wide) {
      lanes<uint64_t>(slot)[lane] = value;
    } else {
      lanes<uint32_t>(slot)[lane] = static_cast<uint32_t>(value);
    }
  }
};

}  // namespace ptx
