// Dispatch to the three formats.
#include "vision/pictures/picture_file.h"

#include "kernels/bytes.h"
#include "kernels/error.h"
#include "vision/pictures/exif_xmp.h"
#include "vision/pictures/jpeg_metadata.h"
#include "vision/pictures/picture_codec.h"
#include "vision/pictures/png_metadata.h"
#include "vision/pictures/webp_metadata.h"

namespace bifrons {
namespace {

constexpr std::string_view kParametersKeyword = "parameters";
constexpr std::string_view kGraphKeyword = "prompt";
constexpr std::string_view kSettingsKeyword = "bifrons";
constexpr std::string_view kXmpKeyword = "XML:com.adobe.xmp";

PictureFileInfo read_png_info(ByteView file) {
  PictureFileInfo info;
  for (TextChunk& chunk : read_text_chunks(file)) {
    if (chunk.keyword == kParametersKeyword) info.metadata.parameters = std::move(chunk.text);
    if (chunk.keyword == kGraphKeyword) info.metadata.graph = std::move(chunk.text);
    if (chunk.keyword == kSettingsKeyword) info.metadata.settings = std::move(chunk.text);
    if (chunk.keyword == kXmpKeyword) info.marked_generated = xmp_marks_generated(chunk.text);
  }
  if (starts_with(file, 12, "IHDR") && file.size() >= 24) {
    info.width = read_big(file, 16, 4);
    info.height = read_big(file, 20, 4);
  }
  return info;
}

PictureFileInfo info_from_blocks(PictureFormat format, int64_t width, int64_t height, ByteView exif,
                                 std::string_view xmp) {
  return {format, width, height, xmp_marks_generated(xmp), {exif_comment(exif), xmp_settings(xmp)}};
}

}  // namespace

std::optional<PictureFormat> picture_format_of(std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string ending(file_name.substr(dot + 1));
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (ending == "png") return PictureFormat::kPng;
  if (ending == "jpg" || ending == "jpeg") return PictureFormat::kJpeg;
  if (ending == "webp") return PictureFormat::kWebp;
  return std::nullopt;
}

std::vector<uint8_t> encode_picture(const Picture& picture, PictureFormat format,
                                    const PictureMetadata* metadata) {
  std::vector<uint8_t> file = encode_pixels(picture, format);
  if (metadata == nullptr) return file;
  if (format == PictureFormat::kPng) {
    std::vector<TextChunk> chunks;
    if (!metadata->parameters.empty()) {
      chunks.push_back({std::string(kParametersKeyword), metadata->parameters});
    }
    if (!metadata->settings.empty()) {
      chunks.push_back({std::string(kSettingsKeyword), metadata->settings});
    }
    chunks.push_back({std::string(kXmpKeyword), xmp_packet({})});
    insert_text_chunks(file, chunks);
    return file;
  }
  const Bytes exif = exif_with_comment(metadata->parameters);
  const std::string xmp = xmp_packet(metadata->settings);
  if (format == PictureFormat::kJpeg) {
    insert_jpeg_blocks(file, exif, xmp);
  } else {
    insert_webp_blocks(file, picture.width, picture.height, exif, xmp);
  }
  return file;
}

PictureFileInfo read_picture_info(std::span<const uint8_t> file) {
  if (file.empty()) throw Error(ErrorKind::kData, "the file is empty");
  if (starts_with(file, 0, "\x89PNG")) return read_png_info(file);
  if (starts_with(file, 0, "\xff\xd8")) {
    const JpegBlocks blocks = read_jpeg_blocks(file);
    return info_from_blocks(PictureFormat::kJpeg, blocks.width, blocks.height, blocks.exif,
                            blocks.xmp);
  }
  if (starts_with(file, 0, "RIFF")) {
    const WebpBlocks blocks = read_webp_blocks(file);
    return info_from_blocks(PictureFormat::kWebp, blocks.width, blocks.height, blocks.exif,
                            blocks.xmp);
  }
  throw Error(ErrorKind::kData, "this is not a PNG, JPEG or WebP file");
}

}  // namespace bifrons
