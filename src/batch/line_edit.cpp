// JSON is written by hand here, because its bytes are hashed or compared.
#include "src/batch/line_edit.h"

#include <fmt/format.h>

#include <filesystem>

#include "kernels/utf8.h"
#include "src/io/json.h"
#include "src/store/manifest_columns.h"

namespace bifrons {
namespace {

// From `directory` to `path`. Links are followed, because the reader of the manifest follows them.
std::string path_from(const std::string& directory, const std::string& path) {
  std::error_code error;
  const std::filesystem::path there = std::filesystem::weakly_canonical(path, error);
  if (error) return path;
  const std::filesystem::path here = std::filesystem::weakly_canonical(directory, error);
  if (error) return path;
  const std::string way = there.lexically_relative(here).string();
  return way.empty() ? path : way;
}

// File names may hold any bytes; records are UTF-8.
std::string path_text(const std::string& path) {
  std::string text;
  for (size_t at = 0; at < path.size();) {
    const Utf8Front front = decode_utf8(std::string_view(path).substr(at));
    text += front.valid ? path.substr(at, front.bytes) : std::string(kReplacementCharacter);
    at += front.bytes;
  }
  return json_text(text);
}

}  // namespace

std::string edit_key(const LineEdit& edit) {
  std::string key = fmt::format(R"({{"sha256":"{}","style":"{}")", edit.sha256, edit.style->name);
  if (edit.style->part_row) key += fmt::format(R"(,"image_guidance":{})", edit.image_guidance);
  if (edit.orientation == Orientation::kApply) key += R"(,"apply_orientation":true)";
  return key + "}";
}

std::string edit_member(const LineEdit& edit, const std::string& directory) {
  const bool absolute = edit.image.starts_with('/');
  return fmt::format(
      R"({{"image":{},"sha256":"{}","style":"{}","image_guidance":{},"apply_orientation":{}}})",
      path_text(absolute ? edit.image : path_from(directory, edit.path)), edit.sha256,
      edit.style->name, edit.style->part_row ? real_json(edit.image_guidance) : "null",
      edit.orientation == Orientation::kApply);
}

std::string edit_record(const LineEdit& edit) {
  std::string record = fmt::format(R"({{"picture":{},"sha256":"{}","style":"{}")",
                                   path_text(edit.image), edit.sha256, edit.style->name);
  if (edit.style->part_row) {
    record += fmt::format(R"(,"image_guidance":{})", real_json(edit.image_guidance));
  }
  if (edit.orientation == Orientation::kApply) record += R"(,"apply_orientation":true)";
  return record + "}";
}

}  // namespace bifrons
