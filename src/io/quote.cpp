// Makes untrusted text safe for one line of a terminal.
#include "src/io/quote.h"

#include <fmt/format.h>

#include <cstdint>

#include "kernels/utf8.h"

namespace bifrons {
namespace {

constexpr std::string_view kEllipsis = "…";

// Control characters, and characters that change the order or visibility of the text around them.
bool must_escape(char32_t c) {
  const auto within = [c](char32_t low, char32_t high) { return c >= low && c <= high; };
  return c < 0x20 || within(0x7f, 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
         within(0x200b, 0x200f) || within(0x2028, 0x202e) || within(0x2060, 0x206f) ||
         c == 0xfeff || within(0xfff9, 0xfffb) || within(0xe0000, 0xe007f);
}

std::string escape(char32_t c) {
  switch (c) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  const auto value = static_cast<uint32_t>(c);
  if (value < 0x80) return fmt::format("\\x{:02x}", value);
  return value <= 0xffff ? fmt::format("\\u{:04x}", value) : fmt::format("\\U{:08x}", value);
}

// East Asian wide characters and pictographs are two columns wide. An approximate table is enough.
size_t columns_of(char32_t c) {
  const bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
                    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
                    (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                    (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
  return wide ? 2 : 1;
}

}  // namespace

std::string quote(std::string_view text, size_t max_columns) {
  const size_t room = max_columns < 3 ? 0 : max_columns - 3;  // for two quotes and the ellipsis
  std::string shown = "\"";
  size_t columns = 0;
  size_t cut = shown.size();  // where the text is cut if an ellipsis must follow
  while (!text.empty()) {
    const Utf8Front next = decode_utf8(text);
    std::string piece;
    size_t width = 0;
    if (!next.valid) {
      piece = fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      width = piece.size();
    } else if (must_escape(next.point) || next.point == '"' || next.point == '\\') {
      piece = escape(next.point);
      width = piece.size();
    } else {
      piece = text.substr(0, next.bytes);
      width = columns_of(next.point);
    }
    const bool last = text.size() <= next.step();
    if (columns + width > room + (last ? 1 : 0)) {
      shown.resize(cut);
      shown += kEllipsis;
      break;
    }
    shown += piece;
    columns += width;
    if (columns <= room) cut = shown.size();
    text.remove_prefix(next.step());
  }
  shown += '"';
  return shown;
}

std::string quote_if_needed(std::string_view text) {
  const std::string shown = quote(text, 12 * text.size() + 3);  // \U0010ffff for four bytes
  const bool plain = !text.empty() && shown.size() == text.size() + 2 &&
                     std::string_view(shown).substr(1, text.size()) == text;
  return plain ? std::string(text) : shown;
}

std::string plain_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Utf8Front next = decode_utf8(json);
    if (!next.valid) {
      out += kReplacementCharacter;  // JSON is UTF-8
    } else if (next.point < 0x7f || !must_escape(next.point)) {
      out += json.substr(0, next.bytes);  // line ends of JSON itself stay
    } else if (next.point <= 0xffff) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(next.point));
    } else {  // a surrogate pair
      const uint32_t rest = static_cast<uint32_t>(next.point) - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
    }
    json.remove_prefix(next.step());
  }
  return out;
}

}  // namespace bifrons
