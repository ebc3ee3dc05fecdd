// Reads PNG chunks and verifies their checksums.
#include "vision/pictures/png_chunks.h"

#include <zlib.h>

#include "kernels/error.h"

namespace bifrons {
namespace {

uint32_t checksum(ByteView name_and_data) {
  return static_cast<uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), name_and_data.data(), name_and_data.size()));
}

}  // namespace

PngChunk next_png_chunk(ByteView png, size_t& at) {
  if (png.size() < at || png.size() - at < 12) {
    throw Error(ErrorKind::kData, "the PNG file ends early");
  }
  const size_t length = read_big(png, at, 4);
  if (length > png.size() - at - 12) throw Error(ErrorKind::kData, "the PNG file ends early");
  if (checksum(png.subspan(at + 4, length + 4)) != read_big(png, at + 8 + length, 4)) {
    throw Error(ErrorKind::kData,
                "the PNG file is damaged: wrong checksum at byte " + std::to_string(at));
  }
  const PngChunk chunk{at, as_text(png.subspan(at + 4, 4)), png.subspan(at + 8, length)};
  at += length + 12;
  return chunk;
}

void append_png_chunk(Bytes& out, std::string_view name, ByteView data) {
  append_big(out, static_cast<uint32_t>(data.size()), 4);
  const size_t checked_from = out.size();
  append(out, name);
  append(out, data);
  append_big(out, checksum(ByteView(out).subspan(checked_from)), 4);
}

}  // namespace bifrons
