// Chunks of a PNG file: length, name, data, checksum.
#pragma once

#include <cstddef>
#include <string_view>

#include "kernels/bytes.h"

namespace bifrons {

inline constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

struct PngChunk {
  size_t at = 0;          // offset of its length field
  std::string_view name;  // views of the file
  ByteView data;
};

// Returns the chunk at `at` and moves `at` past it. Throws Error (data) if the file ends within the
// chunk or the checksum is wrong.
PngChunk next_png_chunk(ByteView png, size_t& at);

void append_png_chunk(Bytes& out, std::string_view name, ByteView data);

}  // namespace bifrons
