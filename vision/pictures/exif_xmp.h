// The two metadata blocks that JPEG and WebP carry: an EXIF user comment and an XMP packet.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// A TIFF structure (big-endian) with one tag, UserComment (0x9286): "UNICODE\0" and UTF-16, which
// is where readers of A1111 parameters look. Invalid UTF-8 becomes U+FFFD.
std::vector<uint8_t> exif_with_comment(std::string_view utf8);

// The user comment of an EXIF block as UTF-8; empty when there is none or the block is damaged.
std::string exif_comment(std::span<const uint8_t> tiff);

// The orientation (TIFF tag 0x0112) of an EXIF block, 1 to 8; 1, as stored, when it says none.
int exif_orientation(std::span<const uint8_t> tiff);

// An XMP packet with the IPTC mark of a generated picture and, when not empty, our settings JSON.
std::string xmp_packet(std::string_view settings);

// What xmp_packet() put in: is the mark there, and which settings (empty: none).
bool xmp_marks_generated(std::string_view packet);
std::string xmp_settings(std::string_view packet);

}  // namespace bifrons
