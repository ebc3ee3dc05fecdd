// PNG files of every kind, and pictures by name, for tests of reading.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/bytes.h"

namespace bifrons::testing {

// What a PNG says; `rows` are the samples as they lie before filtering, rows padded to bytes.
struct PngParts {
  uint32_t width = 0;
  uint32_t height = 0;
  uint8_t depth = 8;
  uint8_t colour = 2;
  std::vector<Bytes> rows;
  Bytes palette{};
  Bytes transparency{};
  bool interlaced = false;   // then `rows` are those of the passes, one after another
  uint8_t filter = 0;        // written before every row, applied to none
  std::string extra_name{};  // a further chunk before the pixels
  Bytes extra{};
};

Bytes png_of(const PngParts& parts);

// A chunk with a right checksum.
void append_chunk(Bytes& out, std::string_view name, ByteView data);

}  // namespace bifrons::testing
