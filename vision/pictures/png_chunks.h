// The chunks of a PNG file: length, name, data, checksum.
#pragma once

#include <cstddef>
#include <string_view>

#include "kernels/bytes.h"

namespace bifrons {

inline constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

struct PngChunk {
  size_t at = 0;          // offset of its length
  std::string_view name;  // views into the file
  ByteView data;
};

// The chunk at `at`, which moves behind it. Throws Error (data) when the file ends within the chunk
// or its checksum is wrong.
PngChunk next_png_chunk(ByteView png, size_t& at);

void append_png_chunk(Bytes& out, std::string_view name, ByteView data);

}  // namespace bifrons
