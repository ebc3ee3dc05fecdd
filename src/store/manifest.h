// metadata.jsonl has one line for each finished picture, in the format of Hugging Face's
// imagefolder. Each line has its own checksum. A line is written after its file is complete and on
// disk.
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

// The suffix of file names of a shard: ".00003-of-00016"; empty for the whole batch.
std::string shard_suffix(int64_t shard, int64_t shards);

// The last members of a line. They decide whether a picture is done.
struct ManifestEntry {
  std::string file_name;
  std::string model;   // hash of the weights, 16 hex digits
  int64_t bytes = 0;   // of the file
  std::string sha256;  // of the file
  std::string key;     // SHA-256 of all settings that determine the file
  int64_t repeat = 0;  // n: the entry is for the n-th further line that asks for the file
};

// A unique text for each entry of a directory: the file name, with an addition for a repeat.
std::string listing_of(const ManifestEntry& entry);

// The line, with its line end. `members` are JSON members without braces: "text":"a fox","seed":7.
std::string manifest_line(const ManifestEntry& entry, std::string_view members);

// Converts a valid line, without line end, to the form of this version; see todays_body(). Lines of
// this version do not change.
std::string renewed_line(std::string_view line);

// Whether a batch can give a picture this name: a name that a prompt line's `output` may be, with
// the ending of a picture format. Other names in a manifest are refused, because a manifest is
// untrusted. A valid name stays below the directory and is not one of this program's own files.
bool is_picture_name(std::string_view file_name);

// The entry of a line without line end; nullopt if the checksum is wrong, the line has another
// form, or its name is not a valid name of a picture. read_row() checks the path on disk.
std::optional<ManifestEntry> read_manifest_line(std::string_view line);

// Bytes. A line made from a prompt file is much shorter.
constexpr size_t kLongestManifestLine = size_t{16} << 20;

// Calls `each` for every line of a file, valid or not, with its offset. The last line may have no
// line end (`torn`). A missing file has no lines. Throws Error (missing) if the path cannot be read
// or is not a regular file.
struct ManifestRow {
  int64_t offset = 0;
  std::string_view text;  // without line end; empty if it is longer than kLongestManifestLine
  bool torn = false;
  int64_t number = 0;  // from 1
};
void read_manifest(const std::string& path, const std::function<void(const ManifestRow&)>& each);

// The entry of a row of a manifest in `directory`. nullopt also if the row is torn, or if its file
// is behind a symbolic link to another directory.
std::optional<ManifestEntry> read_row(const ManifestRow& row, const std::string& directory);

// Names of the manifests in a directory: metadata.jsonl and those of shards, such as
// metadata.00003-of-00016.jsonl. Other names, such as metadata.train.jsonl, are ignored. Empty if
// the directory does not exist.
std::vector<std::string> manifests_in(const std::string& directory);

// Whether `text` can be a torn line after a kill: the beginning of a line, or unwritten blocks
// (NULs).
bool can_be_torn_line(std::string_view text);

// Whether a file is a manifest of this program, which may be rewritten and removed: one of its
// lines has a correct checksum, or it holds only a torn line. True for a missing file. Throws as
// read_manifest() does.
bool is_of_batch(const std::string& path);

// The finished pictures of the manifests, 40 bytes each: names, keys and checksums are stored as
// 64-bit hashes.
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
