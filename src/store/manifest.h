// metadata.jsonl: one line a finished picture, in the form Hugging Face's imagefolder reads, each
// with a checksum of its own. A line stands there only when the file it names is whole and on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bifrons {

constexpr std::string_view kManifestName = "metadata.jsonl";

// What the names of a shard's own files have in them: ".00003-of-00016", nothing for the whole.
std::string shard_suffix(int64_t shard, int64_t shards);

// What decides whether a picture is done: the end of its line.
struct ManifestEntry {
  std::string file_name;
  std::string model;   // hash of the weights, 16 hex digits
  int64_t bytes = 0;   // of the file
  std::string sha256;  // of the file
  std::string key;     // SHA-256 of everything else that decides it
  int64_t repeat = 0;  // n: lists the file once more, for a further line that asks for it
};

// What tells one entry of a directory from another: the name alone where it is no repeat.
std::string listing_of(const ManifestEntry& entry);

// The line with its line end. `members` are JSON members for people and other programs, without
// braces: "text":"a fox","seed":7.
std::string manifest_line(const ManifestEntry& entry, std::string_view members);

// A line that read_manifest_line() takes, without line end, as this version writes it: see
// todays_body(). Lines of this version come back as they are.
std::string renewed_line(std::string_view line);

// Whether a batch can have given a picture this name: what a prompt line's `output` may be, with an
// ending of a picture. No other one is read from a manifest, which may come from anywhere: it stays
// below the directory and names none of our own files.
bool is_picture_name(std::string_view file_name);

// The entry of a line without line end; nothing when the checksum is wrong, it is no such line, or
// its name is none of a picture. Where the name leads on disk is for read_row().
std::optional<ManifestEntry> read_manifest_line(std::string_view line);

// Bytes. A prompt file's line and what is made of it come to far less.
constexpr size_t kLongestManifestLine = size_t{16} << 20;

// Calls `each` for every line of a file, good or bad, with its offset; the last one may lack its
// line end (`torn`). A file that is not there has no lines. Throws Error (missing): cannot be read,
// or is not a regular file.
struct ManifestRow {
  int64_t offset = 0;
  std::string_view text;  // without line end; empty when it is longer than kLongestManifestLine
  bool torn = false;
  int64_t number = 0;  // from 1
};
void read_manifest(const std::string& path, const std::function<void(const ManifestRow&)>& each);

// The entry of a row of a manifest in `directory`; nothing also when the row is torn, or its file
// lies behind a symbolic link to another directory.
std::optional<ManifestEntry> read_row(const ManifestRow& row, const std::string& directory);

// Names of the manifests in a directory: metadata.jsonl and those of shards,
// metadata.00003-of-00016.jsonl; others, like metadata.train.jsonl, are somebody else's. Empty when
// there is no such directory.
std::vector<std::string> manifests_in(const std::string& directory);

// Whether `text` can be what a kill left of a line: its beginning, or blocks never written (NULs).
bool can_be_torn_line(std::string_view text);

// Whether a file is a manifest of this program, which may be rewritten and removed: a line of it
// has its checksum, or there is nothing in it but a torn line. So is one that is not there. Throws
// as read_manifest() does.
bool is_of_batch(const std::string& path);

// What manifests say is done, 40 bytes a picture: names, keys and sums are kept as 64-bit hashes.
class ManifestIndex {
 public:
  struct Known {
    uint64_t model = 0, key = 0, sha256 = 0;
    int64_t bytes = 0;
  };

  // Later lines win over earlier ones.
  void add(const ManifestEntry& entry);
  void remove(std::string_view file_name) { known_.erase(hash(file_name)); }
  const Known* find(std::string_view listing) const;  // listing_of(): a file name, or a repeat
  size_t size() const { return known_.size(); }

  static uint64_t hash(std::string_view text);

 private:
  std::unordered_map<uint64_t, Known> known_;
};

}  // namespace bifrons
