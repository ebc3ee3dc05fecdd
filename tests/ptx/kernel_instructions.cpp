// Parses instructions and checks the widths of their operands.
#include <algorithm>
#include <stdexcept>

#include "tests/ptx/arithmetic.h"
#include "tests/ptx/kernel_builder.h"
#include "tests/ptx/opcodes.h"

namespace ptx {
namespace {

constexpr Type wider(Type type) {
  switch (type) {
    case Type::kU16:
      return Type::kU32;
    case Type::kS16:
      return Type::kS32;
    case Type::kU32:
      return Type::kU64;
    default:
      return Type::kS64;
  }
}

// Type of operand `position` of an arithmetic instruction; position 0 is the result.
Type operand_type(const Instruction& i, int position) {
  switch (i.op) {
    case Opcode::kMulWide:
      return position == 0 ? wider(i.type) : i.type;
    case Opcode::kMadWide:
      return position == 0 || position == 3 ? wider(i.type) : i.type;
    case Opcode::kShl:
    case Opcode::kShr:
      return position == 2 ? Type::kU32 : i.type;
    case Opcode::kSetp:
      return position == 0 ? Type::kPred : i.type;
    case Opcode::kSelp:
      return position == 3 ? Type::kPred : i.type;
    case Opcode::kCvt:
      return position == 0 ? i.to : i.type;
    case Opcode::kBfi:
      return position >= 3 ? Type::kU32 : i.type;
    default:
      return i.type;
  }
}

void want(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

}  // namespace

void KernelBuilder::read_guard(std::string_view& statement, Instruction& i) {
  if (!statement.starts_with('@')) return;
  const size_t end = statement.find_first_of(" \t");
  std::string_view name = statement.substr(1, end - 1);
  if (name.starts_with('!')) {
    i.negated = true;
    name.remove_prefix(1);
  }
  i.guard = register_named(name);
  statement = trimmed(statement.substr(end));
}

void KernelBuilder::read_arithmetic(const std::vector<std::string_view>& parts, Instruction& i) {
  for (int p = 0; p < static_cast<int>(parts.size()); ++p) {
    const Type type = operand_type(i, p);
    const Slot slot = operand(parts[p], type);
    // Only cvt accepts registers wider than its types.
    want(i.op == Opcode::kCvt || slot.wide == (width_of(type) == 8), "width of an operand in");
    i.slots.at(p) = slot;
  }
}

// mov of one register, or between a register and its two halves.
void KernelBuilder::read_move(const std::vector<std::string_view>& parts, Instruction& i) {
  want(parts.size() == 2, "operands of");
  if (!parts[0].starts_with('{') && !parts[1].starts_with('{')) return read_arithmetic(parts, i);
  i.op = parts[0].starts_with('{') ? Opcode::kUnpack : Opcode::kPack;
  const Type half = i.type == Type::kU64 ? Type::kU32 : Type::kU16;
  const int first = operands(parts[0], i.op == Opcode::kUnpack ? half : i.type, i, 0);
  const int second = operands(parts[1], i.op == Opcode::kPack ? half : i.type, i, first);
  want(first + second == 3, "operands of");
}

void KernelBuilder::read_memory(const std::vector<std::string_view>& parts, Instruction& i) {
  want(i.space != Space::kNone && parts.size() >= 2, "operands of");
  if (i.op == Opcode::kAtom) {
    want(parts.size() == 3, "operands of");
    i.slots[0] = operand(parts[0], i.type);
    i.address = address(parts[1], 0);
    i.slots[1] = operand(parts[2], i.type);
    return;
  }
  const bool load = i.op == Opcode::kLoad;
  i.address = address(parts[load ? 1 : 0], 0);
  want(operands(parts[load ? 0 : 1], i.type, i, 0) == i.vector, "operands of");
}

void KernelBuilder::read_copy(const std::vector<std::string_view>& parts, Instruction& i) {
  want(parts.size() == 4 && parts[2] == "16", "operands of");
  i.address = address(parts[0], 0);
  i.source = address(parts[1], 1);
  i.number = 16;
  i.slots[0] = operand(parts[3], Type::kU32);
}

void KernelBuilder::read_warp(const std::vector<std::string_view>& parts, Instruction& i) {
  if (i.op == Opcode::kMma) {
    want(parts.size() == 4, "operands of");
    constexpr int kCounts[] = {4, 4, 2, 4};
    for (int p = 0, slot = 0; p < 4; slot += kCounts[p++]) {
      want(operands(parts[p], Type::kU32, i, slot) == kCounts[p], "operands of");
    }
    return;
  }
  if (i.op == Opcode::kWarpBarrier) {
    want(parts.size() == 1, "operands of");
    i.slots[0] = operand(parts[0], Type::kU32);
    return;
  }
  want(parts.size() == 5, "operands of");
  const size_t bar = parts[0].find('|');
  i.slots[0] = operand(parts[0].substr(0, bar), Type::kU32);
  if (bar != std::string_view::npos) i.slots[1] = register_named(parts[0].substr(bar + 1));
  for (int p = 1; p < 5; ++p) i.slots[p + 1] = operand(parts[p], Type::kU32);
}

void KernelBuilder::note_granule(const Instruction& i) {
  if (i.op != Opcode::kLoad && i.op != Opcode::kStore) return;
  const int bytes = std::min(4, width_of(i.type));
  int& granule = i.space == Space::kShared ? kernel_.shared_granule : kernel_.global_granule;
  if (i.space != Space::kParam) granule = std::min(granule, bytes);
}

void KernelBuilder::read_operands(const std::vector<std::string_view>& parts, Instruction& i) {
  switch (i.op) {
    case Opcode::kBranch:
      want(parts.size() == 1, "operands of");
      branches_.push_back({kernel_.code.size(), std::string(parts[0])});
      return;
    case Opcode::kLoad:
    case Opcode::kStore:
    case Opcode::kAtom:
      return read_memory(parts, i);
    case Opcode::kCopy:
      return read_copy(parts, i);
    case Opcode::kWaitGroup:
      want(parts.size() == 1, "operands of");
      i.number = std::stoi(std::string(parts[0]));
      return;
    case Opcode::kBarrier:
      want(parts.size() == 1 && parts[0] == "0", "operands of");
      return;
    case Opcode::kBarrierCount:
      want(parts.size() == 3 && parts[1] == "0", "operands of");
      i.slots[0] = operand(parts[0], Type::kU32);
      i.slots[1] = operand(parts[2], Type::kPred);
      return;
    case Opcode::kShuffle:
    case Opcode::kMma:
    case Opcode::kWarpBarrier:
      return read_warp(parts, i);
    case Opcode::kCommit:
    case Opcode::kFence:
    case Opcode::kReturn:
    case Opcode::kNothing:
    case Opcode::kGridWait:
      return;
    case Opcode::kMov:
      return read_move(parts, i);
    default:
      return read_arithmetic(parts, i);
  }
}

void KernelBuilder::add_instruction(std::string_view statement, int line) {
  Instruction i;
  i.line = line;
  read_guard(statement, i);
  const size_t end = statement.find_first_of(" \t");
  const std::string_view name = statement.substr(0, end);
  want(decode_name(name, i), "no such instruction is known:");
  read_operands(parts_of(end == statement.npos ? "" : statement.substr(end)), i);
  if (i.op < Opcode::kLoad) {
    i.execute = select_arithmetic(i);
    want(i.execute, "no such instruction is known:");
  }
  note_granule(i);
  kernel_.code.push_back(std::move(i));
}

}  // namespace ptx
