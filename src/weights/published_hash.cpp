// The hub's clients name blobs by the hash of their content, so each file brings its checksum.
#include "src/weights/published_hash.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>
#include <vector>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/sha1.h"
#include "src/io/sha256.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostMetadata = 4096;
constexpr int64_t kHashPiece = 1 << 20;

// Calls add() with all bytes of the file.
template <typename Hash>
std::string hash_all(Hash& hash, const ByteSource& file, const ReadProgress& progress) {
  std::vector<std::byte> piece(static_cast<size_t>(std::min(kHashPiece, file.size())));
  for (int64_t done = 0; done < file.size(); done += kHashPiece) {
    const auto part = std::span(piece).first(
        std::min<size_t>(piece.size(), static_cast<size_t>(file.size() - done)));
    file.read(done, part);
    hash.add(std::span(reinterpret_cast<const uint8_t*>(part.data()), part.size()));
    if (progress) progress(static_cast<int64_t>(part.size()));
  }
  return hash.finish();
}

// Line 1 is the commit, line 2 the hash, line 3 the time of the download.
std::optional<PublishedHash> in_metadata(const std::string& directory, const std::string& name) {
  try {
    const Directory notes =
        Directory::open((fs::path(directory) / ".cache/huggingface/download").string());
    const std::string text = notes.read_file(name + ".metadata", kMostMetadata);
    const size_t begin = text.find('\n');
    if (begin == std::string::npos) return std::nullopt;
    const size_t end = std::min(text.find('\n', begin + 1), text.size());
    return parse_hash(trimmed(std::string_view(text).substr(begin + 1, end - begin - 1)));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string_view name_of(HashKind kind) {
  return kind == HashKind::kSha256 ? "sha256" : "git sha1";
}

std::optional<PublishedHash> parse_hash(std::string_view text) {
  if (text.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  if (text.size() == 64) return PublishedHash{HashKind::kSha256, std::string(text)};
  if (text.size() == 40) return PublishedHash{HashKind::kGitSha1, std::string(text)};
  return std::nullopt;
}

std::optional<PublishedHash> published_hash(const std::string& directory, const std::string& name) {
  std::error_code error;
  const fs::path target = fs::read_symlink(fs::path(directory) / name, error);
  if (!error && target.parent_path().filename() == "blobs") {
    return parse_hash(target.filename().string());
  }
  return in_metadata(directory, name);
}

std::string hash_of(const ByteSource& file, HashKind kind, const ReadProgress& progress) {
  if (kind == HashKind::kSha256) {
    Sha256 hash;
    return hash_all(hash, file, progress);
  }
  Sha1 hash;
  hash.add(std::string_view("blob "));
  hash.add(std::to_string(file.size()));
  hash.add(std::string_view("\0", 1));
  return hash_all(hash, file, progress);
}

}  // namespace bifrons
