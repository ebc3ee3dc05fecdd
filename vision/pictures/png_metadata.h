// Text chunks of PNG files: inserted after encoding, and read back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bifrons {

// A text chunk: keyword of 1..79 printable ASCII characters, and text in UTF-8 without NUL.
struct TextChunk {
  std::string keyword;
  std::string text;
};

// Inserts the texts after IHDR; pixels are not changed. A text that Latin-1 can represent becomes
// tEXt, as most readers expect. Every other text, and all XMP, becomes uncompressed iTXt.
void insert_text_chunks(std::vector<uint8_t>& png, std::span<const TextChunk> chunks);

// Returns all tEXt and uncompressed iTXt chunks in file order, as UTF-8. Throws Error (data) if the
// file is not a PNG, is truncated or has a wrong checksum. The message does not name the file.
std::vector<TextChunk> read_text_chunks(std::span<const uint8_t> png);

}  // namespace bifrons
