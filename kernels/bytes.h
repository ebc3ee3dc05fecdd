// Fixed-width integers in byte strings, big- and little-endian, for the headers of picture files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bifrons {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline void append(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}
inline void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// Appends the low `width` bytes of `value`, most significant byte first.
inline void append_big(Bytes& out, uint32_t value, int width) {
  for (int i = width - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
// Appends the low `width` bytes of `value`, least significant byte first.
inline void append_little(Bytes& out, uint32_t value, int width) {
  for (int i = 0; i < width; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// All of `bytes`, at most eight, as a number, least significant first.
inline uint64_t little_endian(ByteView bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}
inline uint64_t little_endian(std::string_view bytes) {
  return little_endian({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

// The caller ensures that [at, at + width) lies inside `bytes`.
inline uint32_t read_big(ByteView bytes, size_t at, int width) {
  uint32_t value = 0;
  for (int i = 0; i < width; ++i) value = value << 8 | bytes[at + i];
  return value;
}
inline uint32_t read_little(ByteView bytes, size_t at, int width) {
  return static_cast<uint32_t>(little_endian(bytes.subspan(at, static_cast<size_t>(width))));
}

inline bool starts_with(ByteView bytes, size_t at, std::string_view text) {
  if (at > bytes.size() || bytes.size() - at < text.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (bytes[at + i] != static_cast<uint8_t>(text[i])) return false;
  }
  return true;
}

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace bifrons
