// Text chunks of a PNG file: put in beside any encoder, and read back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bifrons {

// One text: a keyword of 1..79 printable ASCII characters and UTF-8 without NUL.
struct TextChunk {
  std::string keyword;
  std::string text;
};

// Puts the texts right after IHDR, which leaves the pixels alone. A text that Latin-1 can say
// becomes tEXt, as most readers expect it; any other, and all XMP, becomes uncompressed iTXt.
void insert_text_chunks(std::vector<uint8_t>& png, std::span<const TextChunk> chunks);

// Every tEXt and uncompressed iTXt chunk, in file order, as UTF-8. Throws Error (data) for a file
// that is not a PNG, ends early or has a wrong checksum; the sentence does not name the file.
std::vector<TextChunk> read_text_chunks(std::span<const uint8_t> png);

}  // namespace bifrons
