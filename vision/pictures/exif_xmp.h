// The two metadata blocks of JPEG and WebP files: an EXIF user comment and an XMP packet.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// A TIFF structure (big-endian) with one tag, UserComment (0x9286): "UNICODE\0" and the text in
// UTF-16. Readers of A1111 parameters look there. Invalid UTF-8 becomes U+FFFD.
std::vector<uint8_t> exif_with_comment(std::string_view utf8);

// The user comment of an EXIF block as UTF-8; empty if there is none or the block is damaged.
std::string exif_comment(std::span<const uint8_t> tiff);

// The orientation (TIFF tag 0x0112) of an EXIF block, 1 to 8; 1 (as stored) if there is none.
int exif_orientation(std::span<const uint8_t> tiff);

// An XMP packet with the IPTC digital source type of a generated picture and, unless empty, the
// settings JSON of Bifrons.
std::string xmp_packet(std::string_view settings);

// Content of a packet of xmp_packet(): whether it has the IPTC digital source type, and the
// settings (empty if none).
bool xmp_marks_generated(std::string_view packet);
std::string xmp_settings(std::string_view packet);

}  // namespace bifrons
