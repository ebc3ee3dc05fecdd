// metadata.jsonl: one line for each finished picture, in the form that Hugging Face's imagefolder
// reads, each with its own checksum. A line is written after its file is complete and on disk.
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

// The part of a file name that tells shards apart: ".00003-of-00016"; empty for the whole batch.
std::string shard_suffix(int64_t shard, int64_t shards);

// The end of a line: the members that decide whether a picture is done.
struct ManifestEntry {
  std::string file_name;
  std::string model;   // hash of the weights, 16 hex digits
  int64_t bytes = 0;   // of the file
  std::string sha256;  // of the file
  std::string key;     // SHA-256 of all settings that decide it
  int64_t repeat = 0;  // n: listed once more for the n-th further line that asks for the file
};

// A text that is unique among the entries of a directory: the name, unless it is a repeat.
std::string listing_of(const ManifestEntry& entry);

// The line with its line end. `members` are JSON members without braces: "text":"a fox","seed":7.
std::string manifest_line(const ManifestEntry& entry, std::string_view members);

// A line that read_manifest_line() takes, without line end, as this version writes it: see
// todays_body(). Lines of this version come back as they are.
std::string renewed_line(std::string_view line);

// Whether a batch can have given a picture this name: what a prompt line's `output` may be, with an
// ending of a picture. Other names in a manifest are refused, because a manifest may come from
// anywhere: a valid name stays below the directory and is none of this program's own files.
bool is_picture_name(std::string_view file_name);

// The entry of a line without line end; nothing when the checksum is wrong, it is no such line, or
// its name is none of a picture. Where the name leads on disk is for read_row().
std::optional<ManifestEntry> read_manifest_line(std::string_view line);

// Bytes. A line made from a prompt file is much shorter.
constexpr size_t kLongestManifestLine = size_t{16} << 20;

// Calls `each` for every line of a file, good or bad, with its offset; the last one may lack its
// line end (`torn`). A missing file has no lines. Throws Error (missing): cannot be read,
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
// metadata.00003-of-00016.jsonl. Other names, like metadata.train.jsonl, are ignored. Empty when
// there is no such directory.
std::vector<std::string> manifests_in(const std::string& directory);

// Whether `text` can be the rest of a line after a kill: its beginning, or unwritten blocks (NULs).
bool can_be_torn_line(std::string_view text);

// Whether a file is a manifest of this program, which may be rewritten and removed: one of its
// lines has a correct checksum, or it holds only a torn line. A missing file counts as one. Throws
// as read_manifest() does.
bool is_of_batch(const std::string& path);

// The finished pictures according to manifests, 40 bytes each: names, keys and checksums are kept
// as 64-bit hashes.
class ManifestIndex {
 public:
  struct Known {
    uint64_t model = 0, key = 0, sha256 = 0;
    int64_t bytes = 0;
  };

  // Later lines replace earlier ones.
  void add(const ManifestEntry& entry);
  void remove(std::string_view file_name) { known_.erase(hash(file_name)); }
  const Known* find(std::string_view listing) const;  // listing_of(): a file name, or a repeat
  size_t size() const { return known_.size(); }

  static uint64_t hash(std::string_view text);

 private:
  std::unordered_map<uint64_t, Known> known_;
};

}  // namespace bifrons
