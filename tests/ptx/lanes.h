// Loops over the lanes of a warp. Values narrower than 4 bytes are kept in 4-byte words.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "tests/ptx/instruction.h"

namespace ptx {

template <typename T>
using Word = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T>
T from_word(Word<T> word) {
  if constexpr (sizeof(T) < 4) {
    return static_cast<T>(word);
  } else {
    return std::bit_cast<T>(word);
  }
}

template <typename T>
Word<T> to_word(T value) {
  if constexpr (sizeof(T) < 4) {
    return static_cast<std::make_unsigned_t<T>>(value);
  } else {
    return std::bit_cast<Word<T>>(value);
  }
}

// Calls visit(lane) for each lane in `active`.
template <typename Visit>
void for_lanes(uint32_t active, const Visit& visit) {
  for (; active != 0; active &= active - 1) visit(std::countr_zero(active));
}

template <typename Visit>
void for_lanes_or_all(uint32_t active, const Visit& visit) {
  if (active == kAllLanes) {
    for (int lane = 0; lane < kWarp; ++lane) visit(lane);
  } else {
    for_lanes(active, visit);
  }
}

// slots[0] = f(slots[1], ...), with results of type To and sources of type T.
template <typename To, typename T, typename F>
void unary(WarpRegisters& w, const Instruction& i, uint32_t active) {
  Word<To>* const to = w.lanes<Word<To>>(i.slots[0]);
  const Word<T>* const a = w.lanes<Word<T>>(i.slots[1]);
  for_lanes_or_all(active, [&](int l) { to[l] = to_word<To>(F{}(from_word<T>(a[l]))); });
}

template <typename To, typename T, typename F, typename T2 = T>
void binary(WarpRegisters& w, const Instruction& i, uint32_t active) {
  Word<To>* const to = w.lanes<Word<To>>(i.slots[0]);
  const Word<T>* const a = w.lanes<Word<T>>(i.slots[1]);
  const Word<T2>* const b = w.lanes<Word<T2>>(i.slots[2]);
  for_lanes_or_all(
      active, [&](int l) { to[l] = to_word<To>(F{}(from_word<T>(a[l]), from_word<T2>(b[l]))); });
}

template <typename To, typename T, typename F, typename T3 = T>
void ternary(WarpRegisters& w, const Instruction& i, uint32_t active) {
  Word<To>* const to = w.lanes<Word<To>>(i.slots[0]);
  const Word<T>* const a = w.lanes<Word<T>>(i.slots[1]);
  const Word<T>* const b = w.lanes<Word<T>>(i.slots[2]);
  const Word<T3>* const c = w.lanes<Word<T3>>(i.slots[3]);
  for_lanes_or_all(active, [&](int l) {
    to[l] = to_word<To>(F{}(from_word<T>(a[l]), from_word<T>(b[l]), from_word<T3>(c[l])));
  });
}

}  // namespace ptx
