// The hash under which the Hugging Face hub publishes a file, as its clients leave it on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "src/io/byte_source.h"

namespace bifrons {

enum class HashKind {
  kSha256,   // of large files (git-lfs)
  kGitSha1,  // of small ones, as git names a blob: SHA-1 of "blob <size>\0" and the bytes
};

struct PublishedHash {
  HashKind kind = HashKind::kSha256;
  std::string hex;
};

// "sha256" or "git sha1".
std::string_view name_of(HashKind kind);

// The hash in a text of 64 or 40 lower-case hex digits; nullopt for other texts.
std::optional<PublishedHash> parse_hash(std::string_view text);

// The hash of the file `name` of a model directory: the name of the blob to which it is a link (in
// the hub's cache), or the second line of .cache/huggingface/download/NAME.metadata (in the folder
// of `hf download --local-dir`). nullopt if neither exists.
std::optional<PublishedHash> published_hash(const std::string& directory, const std::string& name);

// Called with the number of bytes that were read since the last call; throws to stop.
using ReadProgress = std::function<void(int64_t bytes)>;

// Hash of a whole file. Throws Error (data) if the file cannot be read to its end.
std::string hash_of(const ByteSource& file, HashKind kind, const ReadProgress& progress);

}  // namespace bifrons
