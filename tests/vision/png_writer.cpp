// Writer of PNG files for tests.
#include "tests/vision/png_writer.h"

#include <zlib.h>

namespace bifrons::testing {

void append_chunk(Bytes& out, std::string_view name, ByteView data) {
  append_big(out, static_cast<uint32_t>(data.size()), 4);
  Bytes body;
  append(body, name);
  append(body, data);
  append(out, ByteView(body));
  append_big(out, static_cast<uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size()))), 4);
}

Bytes png_of(const PngParts& parts) {
  Bytes header;
  append_big(header, parts.width, 4);
  append_big(header, parts.height, 4);
  header.insert(header.end(), {parts.depth, parts.colour, 0, 0, parts.interlaced});
  Bytes raw;
  for (const Bytes& row : parts.rows) {
    raw.push_back(parts.filter);
    append(raw, ByteView(row));
  }
  uLongf size = compressBound(static_cast<uLong>(raw.size()));
  Bytes packed(size);
  compress(packed.data(), &size, raw.data(), static_cast<uLong>(raw.size()));
  packed.resize(size);

  Bytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  append_chunk(file, "IHDR", header);
  if (!parts.palette.empty()) append_chunk(file, "PLTE", parts.palette);
  if (!parts.transparency.empty()) append_chunk(file, "tRNS", parts.transparency);
  if (!parts.extra_name.empty()) append_chunk(file, parts.extra_name, parts.extra);
  const size_t half = packed.size() / 2;  // pixels in two IDAT chunks
  append_chunk(file, "IDAT", ByteView(packed).first(half));
  append_chunk(file, "IDAT", ByteView(packed).subspan(half));
  append_chunk(file, "IEND", {});
  return file;
}

}  // namespace bifrons::testing
