// A kernel of PTX after parsing: instructions whose operands are places in a warp's register file.
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
  kBf16x2  // b types are u
};

// Bytes in memory.
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
  // Of one lane, without memory (arithmetic.h).
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
  kCopysign,
  // Of one lane, with memory.
  kLoad,
  kStore,
  kAtom,
  kCopy,
  kCommit,
  kWaitGroup,
  kFence,
  // Control.
  kBranch,
  kReturn,
  kNothing,
  kGridWait,
  // Of a warp: all lanes meet.
  kShuffle,
  kMma,
  kWarpBarrier,
  // Of a block.
  kBarrier,
  kBarrierCount,
};

enum class Space : uint8_t { kNone, kParam, kShared, kGlobal };

enum class Rounding : uint8_t { kNearest, kDown, kZero, kSaturate };

enum class Compare : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu };

enum class Variant : uint8_t { kNone, kAdd, kMax, kButterfly, kIndex };

// Place of a register, or of a constant, of all lanes: 32 words of 4 bytes (8 if wide). A predicate
// is one word with a bit for each lane.
struct Slot {
  uint32_t at = 0;  // bytes
  bool constant = false;
  bool wide = false;
  bool used = false;
};

struct Address {
  Slot base;  // not used: an absolute address
  int64_t displacement = 0;
};

struct Instruction;
struct WarpRegisters;

// Computes an instruction for the lanes in `active`.
using Execute = void (*)(WarpRegisters&, const Instruction&, uint32_t active);

constexpr int kMostSlots = 14;

// Slots by opcode: results first, then sources in the order of the text. Shuffle: result, result
// predicate (may be unused), value, lane, clamp, mask. Mma: 4 of d, 4 of a, 2 of b, 4 of c. Copy:
// size of the source. Atom: old value, operand.
struct Instruction {
  Opcode op = Opcode::kNothing;
  Type type = Type::kNone;  // of the operation; of the source of a cvt
  Type to = Type::kNone;    // of the result of a cvt
  Space space = Space::kNone;
  Rounding rounding = Rounding::kNearest;
  Compare compare = Compare::kEq;
  Variant variant = Variant::kNone;
  bool read_only = false;  // ld.global.nc
  bool negated = false;    // guard
  uint8_t vector = 1;
  Slot guard;
  std::array<Slot, kMostSlots> slots;
  Address address, source;  // `source`: of a copy
  int target = -1;          // of a branch
  int64_t number = 0;       // groups of a wait, bytes of a copy
  int line = 0;
  std::string text;  // opcode with all its modifiers
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
  size_t register_bytes = 0;         // of a warp
  std::vector<std::byte> constants;  // addressed by constant slots
  std::array<Slot, 3> thread_index;  // %tid; the rest of the special registers follow
  std::array<Slot, 3> block_size, block_index, grid_size;
  int64_t static_shared = 0;  // bytes
  int most_threads = 1024;    // .maxntid
  // Least number of bytes that an instruction accesses: 1, 2 or 4.
  int shared_granule = 4, global_granule = 4;
};

// Registers of one warp.
struct WarpRegisters {
  std::byte* registers;
  const std::byte* constants;
  const char* mistake = nullptr;  // of the last instruction

  template <typename Word>
  Word* lanes(const Slot& slot) {
    // Constants are only read.
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
