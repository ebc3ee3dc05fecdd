// cvt between integers, between integers and floats, and to bf16.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/ptx/arithmetic.h"
#include "tests/ptx/lanes.h"

namespace ptx {
namespace {

// The lowest bits of a register, extended by the sign or by zeros.
uint64_t extended(uint64_t value, Type type) {
  switch (type) {
    case Type::kU8:
      return static_cast<uint8_t>(value);
    case Type::kS8:
      return static_cast<uint64_t>(int64_t{static_cast<int8_t>(value)});
    case Type::kU16:
      return static_cast<uint16_t>(value);
    case Type::kS16:
      return static_cast<uint64_t>(int64_t{static_cast<int16_t>(value)});
    case Type::kU32:
      return static_cast<uint32_t>(value);
    case Type::kS32:
      return static_cast<uint64_t>(int64_t{static_cast<int32_t>(value)});
    default:
      return value;
  }
}

template <Type kFrom>
void between_integers(WarpRegisters& w, const Instruction& i, uint32_t active) {
  for_lanes(active, [&](int l) {
    w.set(i.slots[0], l, extended(extended(w.value(i.slots[1], l), kFrom), i.to));
  });
}

template <typename To, Type kFrom>
void to_float(WarpRegisters& w, const Instruction& i, uint32_t active) {
  for_lanes(active, [&](int l) {
    const uint64_t value = extended(w.value(i.slots[1], l), kFrom);
    const To result =
        is_signed(kFrom) ? static_cast<To>(static_cast<int64_t>(value)) : static_cast<To>(value);
    w.set(i.slots[0], l, to_word(result));
  });
}

// Rounds towards zero. Values out of range are clamped, and NaN becomes zero.
template <typename From, typename To>
void to_integer(WarpRegisters& w, const Instruction& i, uint32_t active) {
  for_lanes(active, [&](int l) {
    const From value = from_word<From>(static_cast<Word<From>>(w.value(i.slots[1], l)));
    const From least = static_cast<From>(std::numeric_limits<To>::min());
    const From above = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    To result = 0;
    if (value >= above) {
      result = std::numeric_limits<To>::max();
    } else if (value < least) {
      result = std::numeric_limits<To>::min();
    } else if (value == value) {
      result = static_cast<To>(value);
    }
    w.set(i.slots[0], l, to_word(result));
  });
}

struct Convert {
  double operator()(float x) const { return x; }
  float operator()(double x) const { return static_cast<float>(x); }
};

struct Saturate {
  float operator()(float x) const { return x == x ? std::clamp(x, 0.0f, 1.0f) : 0.0f; }
};

// The first source becomes the upper half.
struct ToPair {
  uint32_t operator()(float upper, float lower) const {
    return bf16_of(upper) << 16 | bf16_of(lower);
  }
};

template <typename To>
Execute float_from(Type from) {
  switch (from) {
    case Type::kU16:
      return to_float<To, Type::kU16>;
    case Type::kS16:
      return to_float<To, Type::kS16>;
    case Type::kU32:
      return to_float<To, Type::kU32>;
    case Type::kS32:
      return to_float<To, Type::kS32>;
    case Type::kU64:
      return to_float<To, Type::kU64>;
    case Type::kS64:
      return to_float<To, Type::kS64>;
    default:
      return nullptr;
  }
}

template <typename From>
Execute integer_from(Type to) {
  switch (to) {
    case Type::kU32:
      return to_integer<From, uint32_t>;
    case Type::kS32:
      return to_integer<From, int32_t>;
    case Type::kU64:
      return to_integer<From, uint64_t>;
    case Type::kS64:
      return to_integer<From, int64_t>;
    default:
      return nullptr;
  }
}

Execute integer_to_integer(Type from) {
  switch (from) {
    case Type::kU8:
      return between_integers<Type::kU8>;
    case Type::kS8:
      return between_integers<Type::kS8>;
    case Type::kU16:
      return between_integers<Type::kU16>;
    case Type::kS16:
      return between_integers<Type::kS16>;
    case Type::kU32:
      return between_integers<Type::kU32>;
    case Type::kS32:
      return between_integers<Type::kS32>;
    case Type::kU64:
      return between_integers<Type::kU64>;
    case Type::kS64:
      return between_integers<Type::kS64>;
    default:
      return nullptr;
  }
}

}  // namespace

Execute select_conversion(const Instruction& i) {
  const bool f32 = i.type == Type::kF32, f64 = i.type == Type::kF64;
  if (i.to == Type::kBf16x2) return f32 ? binary<uint32_t, float, ToPair> : nullptr;
  if (i.rounding == Rounding::kSaturate) {
    return f32 && i.to == Type::kF32 ? unary<float, float, Saturate> : nullptr;
  }
  if (is_float(i.type) && is_float(i.to)) {
    if (f32 && i.to == Type::kF64) return unary<double, float, Convert>;
    return f64 && i.to == Type::kF32 ? unary<float, double, Convert> : nullptr;
  }
  if (is_float(i.to)) {
    return i.to == Type::kF32 ? float_from<float>(i.type) : float_from<double>(i.type);
  }
  if (f32 || f64) {
    if (i.rounding != Rounding::kZero) return nullptr;
    return f32 ? integer_from<float>(i.to) : integer_from<double>(i.to);
  }
  return integer_to_integer(i.type);
}

}  // namespace ptx
