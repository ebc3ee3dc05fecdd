// Writer of all variants of PNG files, for tests of the reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/bytes.h"

namespace bifrons::testing {

// Content of a PNG file. `rows` are the samples before filtering, each row padded to whole bytes.
struct PngParts {
  uint32_t width = 0;
  uint32_t height = 0;
  uint8_t depth = 8;
  uint8_t colour = 2;
  std::vector<Bytes> rows;
  Bytes palette{};
  Bytes transparency{};
  bool interlaced = false;   // if so, `rows` are the rows of all passes, in order
  uint8_t filter = 0;        // filter byte of every row; no filter is applied
  std::string extra_name{};  // an additional chunk before the pixels
  Bytes extra{};
};

Bytes png_of(const PngParts& parts);

// Appends a chunk with a correct checksum.
void append_chunk(Bytes& out, std::string_view name, ByteView data);

}  // namespace bifrons::testing
