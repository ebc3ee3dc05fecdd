// EXIF and XMP blocks: written in one fixed form, read leniently.
#include "vision/pictures/exif_xmp.h"

#include <array>
#include <utility>

#include "kernels/bytes.h"
#include "kernels/utf8.h"

namespace bifrons {
namespace {

constexpr uint32_t kExifPointerTag = 0x8769;
constexpr uint32_t kUserCommentTag = 0x9286;
constexpr uint32_t kOrientationTag = 0x0112;
constexpr std::string_view kUnicode("UNICODE\0", 8);
constexpr std::string_view kAscii("ASCII\0\0\0", 8);
constexpr std::string_view kMark =
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
constexpr std::string_view kSettingsOpen = "<bifrons:settings>";
constexpr std::string_view kSettingsClose = "</bifrons:settings>";
constexpr std::array<std::pair<char, std::string_view>, 4> kXmlEscapes = {
    {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}}};

// Reader for TIFF image file directories. Every access is checked against the block.
struct TiffReader {
  ByteView block;
  bool big = true;

  bool holds(size_t at, size_t size) const {
    return at <= block.size() && block.size() - at >= size;
  }
  uint32_t number(size_t at, int width) const {
    return big ? read_big(block, at, width) : read_little(block, at, width);
  }
  // Offset of the 12-byte entry of `tag` in the directory at `at`; 0 if there is none.
  size_t entry(size_t at, uint32_t tag) const {
    if (!holds(at, 2)) return 0;
    const uint32_t count = number(at, 2);
    for (uint32_t i = 0; i < count && holds(at + 2 + 12 * i, 12); ++i) {
      if (number(at + 2 + 12 * i, 2) == tag) return at + 2 + 12 * i;
    }
    return 0;
  }
};

}  // namespace

std::vector<uint8_t> exif_with_comment(std::string_view utf8) {
  Bytes comment;
  append(comment, kUnicode);
  while (!utf8.empty()) {
    const Utf8Front next = decode_utf8(utf8);
    utf8.remove_prefix(next.step());
    const uint32_t code = next.point;
    if (code < 0x10000) {
      append_big(comment, code, 2);
    } else {
      append_big(comment, 0xd800 | (code - 0x10000) >> 10, 2);
      append_big(comment, 0xdc00 | ((code - 0x10000) & 0x3ff), 2);
    }
  }
  Bytes tiff = {'M', 'M', 0, 0x2a};
  append_big(tiff, 8, 4);                // offset of the first directory
  append_big(tiff, 1, 2);                // its number of entries
  append_big(tiff, kExifPointerTag, 2);  // tag: the EXIF directory
  append_big(tiff, 4, 2);                // type: 32-bit number
  append_big(tiff, 1, 4);                // count
  append_big(tiff, 26, 4);               // value: offset of the EXIF directory
  append_big(tiff, 0, 4);                // no further directory
  append_big(tiff, 1, 2);
  append_big(tiff, kUserCommentTag, 2);
  append_big(tiff, 7, 2);  // type: bytes
  append_big(tiff, static_cast<uint32_t>(comment.size()), 4);
  append_big(tiff, 44, 4);
  append_big(tiff, 0, 4);
  append(tiff, comment);
  return tiff;
}

std::string exif_comment(std::span<const uint8_t> tiff) {
  TiffReader reader{tiff};
  if (tiff.size() < 8) return {};
  reader.big = starts_with(tiff, 0, "MM");
  const size_t pointer = reader.entry(reader.number(4, 4), kExifPointerTag);
  if (pointer == 0) return {};
  const size_t entry = reader.entry(reader.number(pointer + 8, 4), kUserCommentTag);
  if (entry == 0) return {};
  const size_t size = reader.number(entry + 4, 4);
  const size_t at = reader.number(entry + 8, 4);
  if (size < kUnicode.size() || !reader.holds(at, size)) return {};
  std::string text;
  if (starts_with(tiff, at, kAscii)) {
    for (size_t i = at + kAscii.size(); i < at + size && tiff[i] != 0; ++i) {
      append_utf8(text, tiff[i] < 0x80 ? tiff[i] : 0xfffd);
    }
    return text;
  }
  if (!starts_with(tiff, at, kUnicode)) return {};
  for (size_t i = at + kUnicode.size(); i + 1 < at + size; i += 2) {
    uint32_t code = read_big(tiff, i, 2);
    if (code >= 0xd800 && code < 0xdc00 && i + 3 < at + size) {
      const uint32_t low = read_big(tiff, i + 2, 2);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
        i += 2;
      }
    }
    append_utf8(text, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
  }
  return text;
}

int exif_orientation(std::span<const uint8_t> tiff) {
  TiffReader reader{tiff};
  if (tiff.size() < 8) return 1;
  reader.big = starts_with(tiff, 0, "MM");
  const size_t entry = reader.entry(reader.number(4, 4), kOrientationTag);
  if (entry == 0) return 1;
  const uint32_t value = reader.number(entry + 8, 2);  // a 16-bit value is in the entry itself
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

std::string xmp_packet(std::string_view settings) {
  std::string packet =
      "<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
      " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
      "  <rdf:Description rdf:about=\"\"\n"
      "    xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"\n"
      "    xmlns:bifrons=\"urn:bifrons:1\">\n"
      "   <Iptc4xmpExt:DigitalSourceType>";
  packet += kMark;
  packet += "</Iptc4xmpExt:DigitalSourceType>\n";
  if (!settings.empty()) {
    packet += "   ";
    packet += kSettingsOpen;
    for (char c : settings) {
      std::string_view escaped(&c, 1);
      for (const auto& [raw, escape] : kXmlEscapes) {
        if (c == raw) escaped = escape;
      }
      packet += escaped;
    }
    packet += kSettingsClose;
    packet += "\n";
  }
  packet += "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>";
  return packet;
}

bool xmp_marks_generated(std::string_view packet) {
  return packet.find(kMark) != std::string_view::npos;
}

std::string xmp_settings(std::string_view packet) {
  const size_t open = packet.find(kSettingsOpen);
  if (open == std::string_view::npos) return {};
  const size_t from = open + kSettingsOpen.size();
  const size_t close = packet.find(kSettingsClose, from);
  if (close == std::string_view::npos) return {};
  std::string settings;
  for (size_t i = from; i < close;) {
    bool escaped = false;
    for (const auto& [raw, escape] : kXmlEscapes) {
      if (packet.substr(i, escape.size()) == escape) {
        settings.push_back(raw);
        i += escape.size();
        escaped = true;
        break;
      }
    }
    if (!escaped) settings.push_back(packet[i++]);
  }
  return settings;
}

}  // namespace bifrons
