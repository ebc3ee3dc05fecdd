// Recognises a wrong file by its first bytes.
#include "src/io/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "src/io/text.h"

namespace bifrons {
namespace {

struct Beginning {
  std::string_view bytes;
  std::string_view kind;
};

using namespace std::string_view_literals;

constexpr std::array<Beginning, 7> kArchiveBeginnings{{
    {"PK\x03\x04"sv, "zip"},
    {"\x1f\x8b"sv, "gzip"},
    {"\xfd"
     "7zXZ\0"sv,
     "xz"},
    {"\x28\xb5\x2f\xfd"sv, "zstd"},
    {"BZh"sv, "bzip2"},
    {"7z\xbc\xaf\x27\x1c"sv, "7z"},
    {"Rar!"sv, "rar"},
}};

// Error texts that the Hugging Face hub and its mirrors send instead of a file, in lower case.
constexpr std::array<std::string_view, 7> kServerErrors{
    "entry not found", "repository not found", "invalid username", "access to model",
    "not found",       "{\"error\"",           "unauthorized"};

std::string_view without_leading_space(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const size_t first = text.find_first_not_of(" \t\r\n");
  return text.substr(std::min(first, text.size()));
}

}  // namespace

std::optional<std::string> detect_file_kind(std::string_view front, std::string_view wanted) {
  front = front.substr(0, kMagicBytes);
  if (front.starts_with("version https://git-lfs.github.com/spec/")) {
    return "is a git-lfs pointer, not the file itself; fetch the real file (git lfs pull)";
  }
  if (front.starts_with("GGUF")) {
    return "is a GGUF file, which is not read; take the model's .safetensors or .bin files";
  }
  if (front.starts_with("\x89HDF\r\n")) {
    return "is an HDF5 file (Keras), which is not read; take the model's .safetensors or .bin "
           "files";
  }
  if (wanted == "JSON" && (front.starts_with("\xff\xfe") || front.starts_with("\xfe\xff") ||
                           front.starts_with("{\0"sv) || front.starts_with("\0{"sv))) {
    return "is UTF-16 text; save it as UTF-8";
  }
  const std::string text = lower_case(without_leading_space(front));
  for (const std::string_view tag : {"<!doctype html", "<html", "<head", "<!--", "<?xml"}) {
    if (!text.starts_with(tag)) continue;
    return fmt::format("is a web page, not {}; download the file itself", wanted);
  }
  for (const std::string_view error : kServerErrors) {
    if (!text.starts_with(error)) continue;
    return fmt::format("is a server's error message, not {}; download the file again", wanted);
  }
  for (const Beginning& archive : kArchiveBeginnings) {
    if (!front.starts_with(archive.bytes)) continue;
    return fmt::format("is a {} archive, not {}; unpack it", archive.kind, wanted);
  }
  if (front.size() > 262 && front.substr(257, 5) == "ustar") {
    return fmt::format("is a tar archive, not {}; unpack it", wanted);
  }
  if (front.size() >= 64 && front.find_first_not_of('\0') == std::string_view::npos) {
    return "begins with zeros, as a file does whose download is not finished; download it again";
  }
  return std::nullopt;
}

}  // namespace bifrons
