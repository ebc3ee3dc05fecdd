// A functor for each arithmetic instruction, and its selection by type.
#include "tests/ptx/arithmetic.h"

#include <algorithm>
#include <cfenv>
#include <cmath>

#include "tests/ptx/lanes.h"

namespace ptx {
namespace {

// Integers wrap around. Narrow integers are computed in 64 bits.
template <typename T>
T wrapped(uint64_t value) {
  return static_cast<T>(value);
}

// clang-format off
struct Add { template <typename T> T operator()(T a, T b) const { if constexpr (std::is_floating_point_v<T>) return a + b; else return wrapped<T>(uint64_t(a) + uint64_t(b)); } };
struct Sub { template <typename T> T operator()(T a, T b) const { if constexpr (std::is_floating_point_v<T>) return a - b; else return wrapped<T>(uint64_t(a) - uint64_t(b)); } };
struct Mul { template <typename T> T operator()(T a, T b) const { if constexpr (std::is_floating_point_v<T>) return a * b; else return wrapped<T>(uint64_t(a) * uint64_t(b)); } };
struct Min { template <typename T> T operator()(T a, T b) const { if constexpr (std::is_floating_point_v<T>) return std::fmin(a, b); else return std::min(a, b); } };
struct Max { template <typename T> T operator()(T a, T b) const { if constexpr (std::is_floating_point_v<T>) return std::fmax(a, b); else return std::max(a, b); } };
struct Neg { template <typename T> T operator()(T a) const { if constexpr (std::is_floating_point_v<T>) return -a; else return wrapped<T>(0 - uint64_t(a)); } };
struct Abs { template <typename T> T operator()(T a) const { return a < 0 ? Neg{}(a) : a == 0 ? T{} : a; } };
struct And { template <typename T> T operator()(T a, T b) const { return static_cast<T>(a & b); } };
struct Or { template <typename T> T operator()(T a, T b) const { return static_cast<T>(a | b); } };
struct Xor { template <typename T> T operator()(T a, T b) const { return static_cast<T>(a ^ b); } };
struct Not { template <typename T> T operator()(T a) const { return static_cast<T>(~a); } };
struct Same { template <typename T> T operator()(T a) const { return a; } };
struct Mad { template <typename T> T operator()(T a, T b, T c) const { return wrapped<T>(uint64_t(a) * uint64_t(b) + uint64_t(c)); } };
struct Fma { template <typename T> T operator()(T a, T b, T c) const { return std::fma(a, b, c); } };
struct Ex2 { float operator()(float a) const { return std::exp2(a); } };
struct Rcp { template <typename T> T operator()(T a) const { return T{1} / a; } };
struct Sqrt { template <typename T> T operator()(T a) const { return std::sqrt(a); } };
// The sign of the first operand and the magnitude of the second.
struct CopySign { float operator()(float a, float b) const { return std::copysign(b, a); } };
// clang-format on

// Shifts by the width or more give zero, or copies of the sign bit.
struct Shl {
  template <typename T>
  T operator()(T a, uint32_t n) const {
    return n >= 8 * sizeof(T) ? T{0} : wrapped<T>(uint64_t(a) << n);
  }
};
struct Shr {
  template <typename T>
  T operator()(T a, uint32_t n) const {
    constexpr uint32_t kBits = 8 * sizeof(T);
    if (n < kBits) return static_cast<T>(a >> n);
    return std::is_signed_v<T> && a < 0 ? static_cast<T>(-1) : T{0};
  }
};
struct Bfi {
  template <typename T>
  T operator()(T a, T b, uint32_t at, uint32_t length) const {
    constexpr uint32_t kBits = 8 * sizeof(T);
    at &= 0xff, length &= 0xff;
    if (at >= kBits || length == 0) return b;
    const T ones = length >= kBits ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << length) - 1);
    const T mask = static_cast<T>(ones << at);
    return static_cast<T>((b & ~mask) | (static_cast<T>(a << at) & mask));
  }
};
struct Prmt {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t choice) const {
    const uint64_t bytes = uint64_t{b} << 32 | a;
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
      const uint32_t which = choice >> 4 * i & 15;
      uint32_t byte = bytes >> 8 * (which & 7) & 0xff;
      if (which & 8) byte = byte & 0x80 ? 0xff : 0;
      result |= byte << 8 * i;
    }
    return result;
  }
};

template <typename T>
using Doubled =
    std::conditional_t<std::is_signed_v<T>, std::conditional_t<sizeof(T) == 2, int32_t, int64_t>,
                       std::conditional_t<sizeof(T) == 2, uint32_t, uint64_t>>;

struct MulWide {
  template <typename T>
  Doubled<T> operator()(T a, T b) const {
    return static_cast<Doubled<T>>(Doubled<T>{a} * Doubled<T>{b});
  }
};
struct MadWide {
  template <typename T>
  Doubled<T> operator()(T a, T b, Doubled<T> c) const {
    return Add{}(MulWide{}(a, b), c);
  }
};
struct MulHigh {
  template <typename T>
  T operator()(T a, T b) const {
    using Both =
        std::conditional_t<sizeof(T) == 8,
                           std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
                           std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
    return static_cast<T>(static_cast<Both>(a) * static_cast<Both>(b) >> 8 * sizeof(T));
  }
};

// Integer division by zero is undefined on a GPU; here it is reported as a mistake.
template <typename T, bool kRemainder>
void divide(WarpRegisters& w, const Instruction& i, uint32_t active) {
  Word<T>* const to = w.lanes<Word<T>>(i.slots[0]);
  const Word<T>*const a = w.lanes<Word<T>>(i.slots[1]), *const b = w.lanes<Word<T>>(i.slots[2]);
  for_lanes(active, [&](int l) {
    const T upper = from_word<T>(a[l]), lower = from_word<T>(b[l]);
    if (lower == 0) {
      w.mistake = "division by zero";
      to[l] = to_word<T>(static_cast<T>(~uint64_t{0}));
    } else if (std::is_signed_v<T> && lower == static_cast<T>(-1)) {
      to[l] = to_word<T>(kRemainder ? T{0} : Neg{}(upper));  // the least integer has no negation
    } else {
      to[l] = to_word<T>(static_cast<T>(kRemainder ? upper % lower : upper / lower));
    }
  });
}

template <typename T>
void divide_float(WarpRegisters& w, const Instruction& i, uint32_t active) {
  struct Div {
    T operator()(T a, T b) const { return a / b; }
  };
  binary<T, T, Div>(w, i, active);
}

void fma_down(WarpRegisters& w, const Instruction& i, uint32_t active) {
  std::fesetround(FE_DOWNWARD);
  ternary<float, float, Fma>(w, i, active);
  std::fesetround(FE_TONEAREST);
}

template <typename T>
bool holds(Compare compare, T a, T b) {
  const bool unordered = a != a || b != b;
  switch (compare) {
    case Compare::kEq:
      return a == b;
    case Compare::kNe:
      return !unordered && a != b;
    case Compare::kLt:
      return a < b;
    case Compare::kLe:
      return a <= b;
    case Compare::kGt:
      return a > b;
    case Compare::kGe:
      return a >= b;
    case Compare::kEqu:
      return unordered || a == b;
    case Compare::kNeu:
      return unordered || a != b;
    case Compare::kLtu:
      return unordered || a < b;
    case Compare::kLeu:
      return unordered || a <= b;
    case Compare::kGtu:
      return unordered || a > b;
    default:
      return unordered || a >= b;
  }
}

template <typename T>
void set_predicate(WarpRegisters& w, const Instruction& i, uint32_t active) {
  const Word<T>*const a = w.lanes<Word<T>>(i.slots[1]), *const b = w.lanes<Word<T>>(i.slots[2]);
  uint32_t bits = 0;
  const auto each = [&](int l) {
    bits |= uint32_t{holds(i.compare, from_word<T>(a[l]), from_word<T>(b[l]))} << l;
  };
  for_lanes_or_all(active, each);
  uint32_t& to = w.predicate(i.slots[0]);
  to = (to & ~active) | (bits & active);
}

template <typename T>
void select_value(WarpRegisters& w, const Instruction& i, uint32_t active) {
  Word<T>* const to = w.lanes<Word<T>>(i.slots[0]);
  const Word<T>*const a = w.lanes<Word<T>>(i.slots[1]), *const b = w.lanes<Word<T>>(i.slots[2]);
  const uint32_t chosen = w.predicate(i.slots[3]);
  for_lanes_or_all(active, [&](int l) { to[l] = chosen >> l & 1 ? a[l] : b[l]; });
}

void of_predicates(WarpRegisters& w, const Instruction& i, uint32_t active) {
  const uint32_t a = w.predicate(i.slots[1]);
  const uint32_t b = i.slots[2].used ? w.predicate(i.slots[2]) : 0;
  const uint32_t result = i.op == Opcode::kAnd   ? a & b
                          : i.op == Opcode::kOr  ? a | b
                          : i.op == Opcode::kXor ? a ^ b
                          : i.op == Opcode::kNot ? ~a
                                                 : a;
  uint32_t& to = w.predicate(i.slots[0]);
  to = (to & ~active) | (result & active);
}

template <typename T>
void pack(WarpRegisters& w, const Instruction& i, uint32_t active) {
  constexpr int kHalf = 4 * sizeof(T);
  T* const to = w.lanes<T>(i.slots[0]);
  const uint32_t *const low = w.lanes<uint32_t>(i.slots[1]), *const high =
                                                                 w.lanes<uint32_t>(i.slots[2]);
  constexpr T kMask = (T{1} << kHalf) - 1;
  for_lanes_or_all(active, [&](int l) { to[l] = T{high[l]} << kHalf | (low[l] & kMask); });
}

template <typename T>
void unpack(WarpRegisters& w, const Instruction& i, uint32_t active) {
  constexpr int kHalf = 4 * sizeof(T);
  uint32_t *const low = w.lanes<uint32_t>(i.slots[0]), *const high = w.lanes<uint32_t>(i.slots[1]);
  const T* const from = w.lanes<T>(i.slots[2]);
  constexpr T kMask = (T{1} << kHalf) - 1;
  for_lanes_or_all(active, [&](int l) {
    const T value = from[l];
    low[l] = static_cast<uint32_t>(value & kMask);
    high[l] = static_cast<uint32_t>(value >> kHalf);
  });
}

template <typename T>
void insert_bits(WarpRegisters& w, const Instruction& i, uint32_t active) {
  T* const to = w.lanes<T>(i.slots[0]);
  const T *const a = w.lanes<T>(i.slots[1]), *const b = w.lanes<T>(i.slots[2]);
  const uint32_t* const at = w.lanes<uint32_t>(i.slots[3]);
  const uint32_t* const length = w.lanes<uint32_t>(i.slots[4]);
  for_lanes(active, [&](int l) { to[l] = Bfi{}(a[l], b[l], at[l], length[l]); });
}

// Calls visit(T{}) with the C++ type of an integer type; returns null for other types.
template <typename Visit>
Execute for_integer(Type type, const Visit& visit) {
  switch (type) {
    case Type::kU16:
      return visit(uint16_t{});
    case Type::kS16:
      return visit(int16_t{});
    case Type::kU32:
      return visit(uint32_t{});
    case Type::kS32:
      return visit(int32_t{});
    case Type::kU64:
      return visit(uint64_t{});
    case Type::kS64:
      return visit(int64_t{});
    default:
      return nullptr;
  }
}
template <typename Visit>
Execute for_float(Type type, const Visit& visit) {
  if (type == Type::kF32) return visit(float{});
  return type == Type::kF64 ? visit(double{}) : nullptr;
}
template <typename Visit>
Execute for_number(Type type, const Visit& visit) {
  return is_float(type) ? for_float(type, visit) : for_integer(type, visit);
}

template <typename F>
constexpr auto kUnary =
    [](auto zero) -> Execute { return unary<decltype(zero), decltype(zero), F>; };
template <typename F>
constexpr auto kBinary =
    [](auto zero) -> Execute { return binary<decltype(zero), decltype(zero), F>; };
template <typename F>
constexpr auto kTernary =
    [](auto zero) -> Execute { return ternary<decltype(zero), decltype(zero), F>; };
template <typename F>
constexpr auto kShift =
    [](auto zero) -> Execute { return binary<decltype(zero), decltype(zero), F, uint32_t>; };

Execute select_wide(const Instruction& i) {
  const auto choose = [&](auto zero) -> Execute {
    using T = decltype(zero);
    if (i.op == Opcode::kMulWide) return binary<Doubled<T>, T, MulWide>;
    return ternary<Doubled<T>, T, MadWide, Doubled<T>>;
  };
  switch (i.type) {
    case Type::kU16:
      return choose(uint16_t{});
    case Type::kS16:
      return choose(int16_t{});
    case Type::kU32:
      return choose(uint32_t{});
    case Type::kS32:
      return choose(int32_t{});
    default:
      return nullptr;
  }
}

Execute select_bits(const Instruction& i) {
  if (i.type == Type::kPred) return of_predicates;
  switch (i.op) {
    case Opcode::kAnd:
      return for_integer(i.type, kBinary<And>);
    case Opcode::kOr:
      return for_integer(i.type, kBinary<Or>);
    case Opcode::kXor:
      return for_integer(i.type, kBinary<Xor>);
    case Opcode::kNot:
      return for_integer(i.type, kUnary<Not>);
    case Opcode::kShl:
      return for_integer(i.type, kShift<Shl>);
    case Opcode::kShr:
      return for_integer(i.type, kShift<Shr>);
    case Opcode::kPrmt:
      return ternary<uint32_t, uint32_t, Prmt>;
    case Opcode::kBfi:
      return i.type == Type::kU64 ? insert_bits<uint64_t> : insert_bits<uint32_t>;
    case Opcode::kPack:
      return i.type == Type::kU64 ? pack<uint64_t> : pack<uint32_t>;
    case Opcode::kUnpack:
      return i.type == Type::kU64 ? unpack<uint64_t> : unpack<uint32_t>;
    default:
      return for_number(i.type, kUnary<Same>);
  }
}

Execute select_division(const Instruction& i) {
  if (i.op == Opcode::kDiv && is_float(i.type)) {
    return for_float(i.type, [](auto zero) -> Execute { return divide_float<decltype(zero)>; });
  }
  return for_integer(i.type, [&](auto zero) -> Execute {
    using T = decltype(zero);
    return i.op == Opcode::kDiv ? divide<T, false> : divide<T, true>;
  });
}

}  // namespace

Execute select_arithmetic(const Instruction& i) {
  const bool fma = i.op == Opcode::kFma, cvt = i.op == Opcode::kCvt;
  if (i.rounding != Rounding::kNearest && !cvt) {
    const bool known = fma && i.rounding == Rounding::kDown && i.type == Type::kF32;
    return known ? fma_down : nullptr;
  }
  const auto predicate = [](auto zero) -> Execute { return set_predicate<decltype(zero)>; };
  const auto choice = [](auto zero) -> Execute { return select_value<decltype(zero)>; };
  const auto absolute = [](auto zero) -> Execute {
    return unary<decltype(zero), decltype(zero), Abs>;
  };
  switch (i.op) {
    case Opcode::kAdd:
      return for_number(i.type, kBinary<Add>);
    case Opcode::kSub:
      return for_number(i.type, kBinary<Sub>);
    case Opcode::kMul:
      return for_number(i.type, kBinary<Mul>);
    case Opcode::kMulHigh:
      return for_integer(i.type, kBinary<MulHigh>);
    case Opcode::kMulWide:
    case Opcode::kMadWide:
      return select_wide(i);
    case Opcode::kMad:
      return for_integer(i.type, kTernary<Mad>);
    case Opcode::kLop3:
      return select_three_sources(i);
    case Opcode::kFma:
      if (i.type == Type::kBf16x2) return select_three_sources(i);
      return for_float(i.type, kTernary<Fma>);
    case Opcode::kDiv:
    case Opcode::kRem:
      return select_division(i);
    case Opcode::kMin:
      return for_number(i.type, kBinary<Min>);
    case Opcode::kMax:
      return for_number(i.type, kBinary<Max>);
    case Opcode::kNeg:
      return for_number(i.type, kUnary<Neg>);
    case Opcode::kAbs:
      return for_number(i.type, absolute);
    case Opcode::kSetp:
      return for_number(i.type, predicate);
    case Opcode::kSelp:
      return for_number(i.type, choice);
    case Opcode::kCvt:
      return select_conversion(i);
    case Opcode::kEx2:
      return i.type == Type::kF32 ? unary<float, float, Ex2> : nullptr;
    case Opcode::kRcp:
      return for_float(i.type, kUnary<Rcp>);
    case Opcode::kSqrt:
      return for_float(i.type, kUnary<Sqrt>);
    case Opcode::kCopysign:
      return i.type == Type::kF32 ? binary<float, float, CopySign> : nullptr;
    default:
      return select_bits(i);
  }
}

}  // namespace ptx
