// Picture files: pixels and metadata to bytes, and metadata back from bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vision/pictures/picture.h"

namespace bifrons {

// What a picture says about itself.
struct PictureMetadata {
  std::string parameters;  // the A1111 text that other tools read, UTF-8
  std::string settings;    // our JSON object, ASCII
  std::string graph{};     // of a PNG by ComfyUI: the nodes that drew it, JSON; never written
};

// By the ending of the name: .png .jpg .jpeg .webp, any case.
std::optional<PictureFormat> picture_format_of(std::string_view file_name);

// The whole file. With metadata, be its texts empty, it carries the IPTC mark of a generated
// picture. PNG: tEXt or iTXt `parameters`, iTXt/tEXt `bifrons`, XMP; JPEG and WebP: EXIF user
// comment, and the settings inside the XMP. The same arguments give the same bytes.
std::vector<uint8_t> encode_picture(const Picture& picture, PictureFormat format,
                                    const PictureMetadata* metadata);

// What a picture file says about itself, without decoding its pixels.
struct PictureFileInfo {
  PictureFormat format = PictureFormat::kPng;
  int64_t width = 0;  // 0: not said in a place we read
  int64_t height = 0;
  bool marked_generated = false;
  PictureMetadata metadata;  // empty texts when the file has none
};

// Throws Error (data) when the bytes are no picture file or a damaged one; the sentence does not
// name the file.
PictureFileInfo read_picture_info(std::span<const uint8_t> file);

}  // namespace bifrons
