// A number is finite if not all bits of its exponent are set.
#include "src/weights/finite.h"

#include <cstring>

namespace bifrons {
namespace {

template <typename Word>
std::optional<int64_t> first_with_all(Word exponent, std::span<const std::byte> bytes) {
  const size_t n = bytes.size() / sizeof(Word);
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = begin + kBlock < n ? begin + kBlock : n;
    // Without a branch in the loop, so that the compiler makes vector instructions of it.
    Word any = 0;
    for (size_t i = begin; i < end; ++i) {
      Word word;
      std::memcpy(&word, bytes.data() + i * sizeof(Word), sizeof word);
      any = static_cast<Word>(any | ((word & exponent) == exponent ? 1 : 0));
    }
    if (any == 0) continue;
    for (size_t i = begin; i < end; ++i) {
      Word word;
      std::memcpy(&word, bytes.data() + i * sizeof(Word), sizeof word);
      if ((word & exponent) == exponent) return static_cast<int64_t>(i);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> first_not_finite(DType dtype, std::span<const std::byte> bytes) {
  switch (dtype) {
    case DType::kBf16:
      return first_with_all<uint16_t>(0x7f80, bytes);
    case DType::kF16:
      return first_with_all<uint16_t>(0x7c00, bytes);
    case DType::kF32:
      return first_with_all<uint32_t>(0x7f800000, bytes);
    default:
      return std::nullopt;
  }
}

}  // namespace bifrons
