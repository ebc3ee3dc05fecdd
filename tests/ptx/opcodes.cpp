// Table of the supported instructions. A modifier that is not listed is refused, so no instruction
// runs with a wrong meaning.
#include "tests/ptx/opcodes.h"

#include <algorithm>
#include <map>
#include <vector>

namespace ptx {
namespace {

const std::map<std::string_view, Type>& types() {
  static const std::map<std::string_view, Type> all = {
      {"pred", Type::kPred}, {"b8", Type::kU8},   {"u8", Type::kU8},   {"s8", Type::kS8},
      {"b16", Type::kU16},   {"u16", Type::kU16}, {"s16", Type::kS16}, {"b32", Type::kU32},
      {"u32", Type::kU32},   {"s32", Type::kS32}, {"f32", Type::kF32}, {"b64", Type::kU64},
      {"u64", Type::kU64},   {"s64", Type::kS64}, {"f64", Type::kF64}, {"bf16x2", Type::kBf16x2}};
  return all;
}

const std::map<std::string_view, Opcode>& arithmetic() {
  static const std::map<std::string_view, Opcode> all = {
      {"add", Opcode::kAdd},      {"sub", Opcode::kSub},           {"mul", Opcode::kMul},
      {"mad", Opcode::kMad},      {"fma", Opcode::kFma},           {"div", Opcode::kDiv},
      {"rem", Opcode::kRem},      {"min", Opcode::kMin},           {"max", Opcode::kMax},
      {"neg", Opcode::kNeg},      {"abs", Opcode::kAbs},           {"and", Opcode::kAnd},
      {"or", Opcode::kOr},        {"xor", Opcode::kXor},           {"not", Opcode::kNot},
      {"shl", Opcode::kShl},      {"shr", Opcode::kShr},           {"setp", Opcode::kSetp},
      {"selp", Opcode::kSelp},    {"mov", Opcode::kMov},           {"cvt", Opcode::kCvt},
      {"cvta", Opcode::kMov},     {"ex2", Opcode::kEx2},           {"rcp", Opcode::kRcp},
      {"sqrt", Opcode::kSqrt},    {"bfi", Opcode::kBfi},           {"prmt", Opcode::kPrmt},
      {"ld", Opcode::kLoad},      {"st", Opcode::kStore},          {"atom", Opcode::kAtom},
      {"bra", Opcode::kBranch},   {"ret", Opcode::kReturn},        {"prefetch", Opcode::kNothing},
      {"membar", Opcode::kFence}, {"copysign", Opcode::kCopysign}, {"lop3", Opcode::kLop3}};
  return all;
}

// Instructions that need more than their first word to be identified.
const std::map<std::string_view, Opcode>& whole_names() {
  static const std::map<std::string_view, Opcode> all = {
      {"shfl.sync.bfly.b32", Opcode::kShuffle},
      {"shfl.sync.idx.b32", Opcode::kShuffle},
      {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", Opcode::kMma},
      {"bar.warp.sync", Opcode::kWarpBarrier},
      {"bar.sync", Opcode::kBarrier},
      {"barrier.sync", Opcode::kBarrier},
      {"bar.red.popc.u32", Opcode::kBarrierCount},
      {"cp.async.cg.shared.global", Opcode::kCopy},
      {"cp.async.commit_group", Opcode::kCommit},
      {"cp.async.wait_group", Opcode::kWaitGroup},
      {"griddepcontrol.wait", Opcode::kGridWait},
      {"griddepcontrol.launch_dependents", Opcode::kNothing},
      {"fence.acq_rel.gpu", Opcode::kFence}};
  return all;
}

const std::map<std::string_view, Compare>& compares() {
  static const std::map<std::string_view, Compare> all = {
      {"eq", Compare::kEq},   {"ne", Compare::kNe},   {"lt", Compare::kLt},
      {"le", Compare::kLe},   {"gt", Compare::kGt},   {"ge", Compare::kGe},
      {"equ", Compare::kEqu}, {"neu", Compare::kNeu}, {"ltu", Compare::kLtu},
      {"leu", Compare::kLeu}, {"gtu", Compare::kGtu}, {"geu", Compare::kGeu},
      {"lo", Compare::kLt},   {"ls", Compare::kLe},   {"hi", Compare::kGt},
      {"hs", Compare::kGe}};
  return all;
}

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t dot = name.find('.');
    words.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    name.remove_prefix(dot + 1);
  }
}

// Reads a modifier that is no type. Returns false if it is unknown or not allowed here.
bool take_modifier(std::string_view word, Instruction& i) {
  if (i.op == Opcode::kSetp) {
    const auto compare = compares().find(word);
    if (compare == compares().end()) return false;
    i.compare = compare->second;
    return true;
  }
  if (word == "shared") return i.space = Space::kShared, true;
  if (word == "global") return i.space = Space::kGlobal, true;
  if (word == "param") return i.space = Space::kParam, true;
  if (word == "v2" || word == "v4") return i.vector = word == "v2" ? 2 : 4, true;
  if (word == "nc") return i.read_only = true;
  if (word == "rm") return i.rounding = Rounding::kDown, true;
  if (word == "rzi" || word == "rz") return i.rounding = Rounding::kZero, true;
  if (word == "sat") return i.rounding = Rounding::kSaturate, true;
  if (word == "wide" && i.op == Opcode::kMul) return i.op = Opcode::kMulWide, true;
  if (word == "wide" && i.op == Opcode::kMad) return i.op = Opcode::kMadWide, true;
  if (word == "hi" && i.op == Opcode::kMul) return i.op = Opcode::kMulHigh, true;
  if (i.op == Opcode::kAtom && word == "add") return i.variant = Variant::kAdd, true;
  if (i.op == Opcode::kAtom && word == "max") return i.variant = Variant::kMax, true;
  constexpr std::string_view kNoMatter[] = {"rn", "lo", "approx",          "ftz",     "to", "uni",
                                            "gl", "L2", "L1::no_allocate", "relaxed", "gpu"};
  return std::find(std::begin(kNoMatter), std::end(kNoMatter), word) != std::end(kNoMatter);
}

}  // namespace

Type type_named(std::string_view modifier) {
  const auto found = types().find(modifier);
  return found == types().end() ? Type::kNone : found->second;
}

bool decode_name(std::string_view name, Instruction& i) {
  i.text = name;
  if (const auto whole = whole_names().find(name); whole != whole_names().end()) {
    i.op = whole->second;
    if (i.op == Opcode::kShuffle) {
      i.variant = name.find("bfly") != name.npos ? Variant::kButterfly : Variant::kIndex;
    }
    i.type = Type::kU32;
    return true;
  }
  const std::vector<std::string_view> words = words_of(name);
  const auto first = arithmetic().find(words[0]);
  if (first == arithmetic().end()) return false;
  i.op = first->second;
  for (size_t w = 1; w < words.size(); ++w) {
    if (const Type type = type_named(words[w]); type != Type::kNone) {
      if (i.op != Opcode::kCvt && i.type != Type::kNone) return false;
      i.to = i.type;  // the first of the two types
      i.type = type;
    } else if (!take_modifier(words[w], i)) {
      return false;
    }
  }
  return true;
}

}  // namespace ptx
