// Inserts and reads PNG text chunks. IHDR always ends at byte 33, so chunks can be inserted there
// after any encoder.
#include "vision/pictures/png_metadata.h"

#include <optional>

#include "kernels/bytes.h"
#include "kernels/error.h"
#include "vision/pictures/png_chunks.h"

namespace bifrons {
namespace {

constexpr size_t kAfterHeader = 33;  // signature 8, IHDR: length 4, name 4, 13 bytes, checksum 4
constexpr std::string_view kXmpKeyword = "XML:com.adobe.xmp";

// `text` in Latin-1; nullopt if it has other characters than printable Latin-1 and line feeds.
std::optional<std::string> latin1(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = static_cast<uint8_t>(text[i]);
    if (byte == 0xc2 || byte == 0xc3) {
      if (i + 1 == text.size()) return std::nullopt;
      const int code = (byte & 3) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3f);
      if (code < 0xa1) return std::nullopt;
      out.push_back(static_cast<char>(code));
    } else if (byte == '\n' || (byte >= 0x20 && byte < 0x7f)) {
      out.push_back(text[i]);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (char c : text) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0 | byte >> 6));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return out;
}

// Fields: keyword, NUL, compression flag and method (two zero bytes), language, NUL, translated
// keyword, NUL, text.
std::optional<TextChunk> parse_international(std::string_view data) {
  const size_t keyword_end = data.find('\0');
  if (keyword_end == std::string_view::npos || data.size() < keyword_end + 5) return std::nullopt;
  if (data[keyword_end + 1] != 0) return std::nullopt;  // compressed: not read
  const size_t language_end = data.find('\0', keyword_end + 3);
  if (language_end == std::string_view::npos) return std::nullopt;
  const size_t translated_end = data.find('\0', language_end + 1);
  if (translated_end == std::string_view::npos) return std::nullopt;
  return TextChunk{std::string(data.substr(0, keyword_end)),
                   std::string(data.substr(translated_end + 1))};
}

std::optional<TextChunk> parse_plain(std::string_view data) {
  const size_t keyword_end = data.find('\0');
  if (keyword_end == std::string_view::npos) return std::nullopt;
  return TextChunk{std::string(data.substr(0, keyword_end)),
                   utf8_of_latin1(data.substr(keyword_end + 1))};
}

}  // namespace

void insert_text_chunks(std::vector<uint8_t>& png, std::span<const TextChunk> chunks) {
  check(png.size() > kAfterHeader && starts_with(png, 0, kPngSignature),
        "insert_text_chunks: not a PNG");
  Bytes spliced;
  for (const TextChunk& chunk : chunks) {
    check(!chunk.keyword.empty() && chunk.keyword.size() < 80, "insert_text_chunks: keyword");
    check(chunk.text.find('\0') == std::string::npos, "insert_text_chunks: NUL in the text");
    Bytes data;
    append(data, chunk.keyword);
    const auto plain = chunk.keyword == kXmpKeyword ? std::nullopt : latin1(chunk.text);
    if (plain) {
      data.push_back(0);
      append(data, *plain);
      append_png_chunk(spliced, "tEXt", data);
    } else {
      data.insert(data.end(), 5, 0);
      append(data, chunk.text);
      append_png_chunk(spliced, "iTXt", data);
    }
  }
  png.insert(png.begin() + kAfterHeader, spliced.begin(), spliced.end());
}

std::vector<TextChunk> read_text_chunks(std::span<const uint8_t> png) {
  if (!starts_with(png, 0, kPngSignature)) throw Error(ErrorKind::kData, "this is not a PNG file");
  std::vector<TextChunk> found;
  size_t at = kPngSignature.size();
  while (true) {
    const PngChunk part = next_png_chunk(png, at);
    if (part.name == "IEND") return found;
    std::optional<TextChunk> chunk;
    if (part.name == "tEXt") chunk = parse_plain(as_text(part.data));
    if (part.name == "iTXt") chunk = parse_international(as_text(part.data));
    if (chunk) found.push_back(std::move(*chunk));
  }
}

}  // namespace bifrons
