// Picture files: encodes pixels and metadata, and reads metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vision/pictures/picture.h"

namespace bifrons {

// Metadata of a picture.
struct PictureMetadata {
  std::string parameters;  // the A1111 text that other tools read, UTF-8
  std::string settings;    // JSON object of Bifrons, ASCII
  std::string graph{};     // node graph of a ComfyUI PNG, JSON; never written
};

// The format by the extension of the name: .png .jpg .jpeg .webp, any case.
std::optional<PictureFormat> picture_format_of(std::string_view file_name);

// Returns the bytes of the file. With metadata, even with empty texts, the file has the IPTC
// digital source type of a generated picture. PNG stores `parameters` and `bifrons` as tEXt or
// iTXt, and XMP. JPEG and WebP store an EXIF user comment and the settings inside the XMP. The same
// arguments give the same bytes.
std::vector<uint8_t> encode_picture(const Picture& picture, PictureFormat format,
                                    const PictureMetadata* metadata);

// Size and metadata of a picture file, read without decoding the pixels.
struct PictureFileInfo {
  PictureFormat format = PictureFormat::kPng;
  int64_t width = 0;  // 0 if not found
  int64_t height = 0;
  bool marked_generated = false;
  PictureMetadata metadata;  // empty texts if the file has none
};

// Throws Error (data) if the bytes are not a picture file or a damaged one. The message does not
// name the file.
PictureFileInfo read_picture_info(std::span<const uint8_t> file);

}  // namespace bifrons
