// The checksum of a line is verified first. Then its members are read by position.
#include "src/store/manifest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "kernels/error.h"
#include "src/io/descriptor.h"
#include "src/io/fnv1a.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/prompts/name_rules.h"
#include "src/store/manifest_columns.h"
#include "src/store/store_files.h"
#include "vision/pictures/picture_file.h"

namespace bifrons {
namespace {

constexpr std::string_view kStart = "{\"file_name\":\"";
constexpr std::string_view kChecksum = ",\"crc32\":\"";
constexpr size_t kTailBytes = kChecksum.size() + 8 + 2;  // ,"crc32":"01234567"}

uint32_t checksum(std::string_view text) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

// A line without line end: `body`, its checksum and the closing brace.
std::string sealed(const std::string& body) {
  return fmt::format("{}{}{:08x}\"}}", body, kChecksum, checksum(body));
}

// Removes `,"name":"value"` or `,"name":value` from the end of a line.
std::optional<std::string> take_last(std::string_view& line, std::string_view name) {
  const std::string start = fmt::format(",\"{}\":", name);
  const size_t at = line.rfind(start);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view value = line.substr(at + start.size());
  line = line.substr(0, at);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (value.find_first_of("\"\\,") != std::string_view::npos) return std::nullopt;
  return std::string(value);
}

// The number in `,"repeated":2` at the end of a line without its entry; 0 if there is none.
int64_t repeat_at_end(std::string_view line) {
  constexpr std::string_view kName = ",\"repeated\":";
  const size_t at = line.rfind(kName);
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = line.substr(at + kName.size());
  int64_t repeat = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), repeat);
  const bool whole = result.ec == std::errc() && result.ptr == digits.data() + digits.size();
  return whole && repeat > 0 ? repeat : 0;
}

// The suffix of a shard: ".00003-of-00016", with more digits for larger numbers.
bool is_shard_suffix(std::string_view text) {
  int64_t shard = 0, shards = 0;
  const size_t middle = text.find("-of-");
  if (!text.starts_with('.') || middle == std::string_view::npos) return false;
  const std::string_view first = text.substr(1, middle - 1), second = text.substr(middle + 4);
  std::from_chars(first.data(), first.data() + first.size(), shard);
  std::from_chars(second.data(), second.data() + second.size(), shards);
  return shard >= 0 && shard < shards && shard_suffix(shard, shards) == text;
}

bool is_manifest_name(std::string_view name) {
  constexpr std::string_view kBefore = "metadata", kBehind = ".jsonl";
  if (name == kManifestName) return true;
  return name.starts_with(kBefore) && name.ends_with(kBehind) &&
         name.size() > kBefore.size() + kBehind.size() &&
         is_shard_suffix(
             name.substr(kBefore.size(), name.size() - kBefore.size() - kBehind.size()));
}

// Splits bytes into rows. Stores at most the longest line that this program writes.
class LineSplitter {
 public:
  explicit LineSplitter(const std::function<void(const ManifestRow&)>& each) : each_(each) {}

  void add(std::string_view block) {
    for (size_t end = block.find('\n'); end != block.npos; end = block.find('\n')) {
      keep(block.substr(0, end));
      give(false);
      block.remove_prefix(end + 1);
      ++offset_;
    }
    keep(block);
  }
  void finish() {
    if (too_long_ || !line_.empty()) give(true);
  }

 private:
  void keep(std::string_view piece) {
    offset_ += static_cast<int64_t>(piece.size());
    too_long_ = too_long_ || line_.size() + piece.size() > kLongestManifestLine;
    if (too_long_) {
      line_.clear();
    } else {
      line_.append(piece);
    }
  }
  // A line that is too long is not from this program. Its beginning is not stored either.
  void give(bool at_end) {
    const int64_t begin = offset_ - static_cast<int64_t>(line_.size());
    each_({begin, line_, at_end && !too_long_, ++number_});
    line_.clear();
    too_long_ = false;
  }

  const std::function<void(const ManifestRow&)>& each_;
  std::string line_;
  bool too_long_ = false;
  int64_t offset_ = 0;  // of the next row
  int64_t number_ = 0;
};

}  // namespace

std::string shard_suffix(int64_t shard, int64_t shards) {
  return shards > 1 ? fmt::format(".{:05}-of-{:05}", shard, shards) : "";
}

bool is_picture_name(std::string_view file_name) {
  return picture_format_of(file_name) && fault_of_path(file_name).empty();
}

std::string listing_of(const ManifestEntry& entry) {
  return entry.repeat == 0 ? entry.file_name : fmt::format("{}\n{}", entry.file_name, entry.repeat);
}

std::string manifest_line(const ManifestEntry& entry, std::string_view members) {
  std::string line = fmt::format("{{\"file_name\":{}{}{}", json_text(entry.file_name),
                                 members.empty() ? "" : ",", members);
  if (entry.repeat > 0) line += fmt::format(",\"repeated\":{}", entry.repeat);
  line += fmt::format(R"(,"model_hash":"{}","bytes":{},"sha256":"{}","key":"{}")", entry.model,
                      entry.bytes, entry.sha256, entry.key);
  return sealed(line) + "\n";
}

std::string renewed_line(std::string_view line) {
  return sealed(todays_body(line.substr(0, line.size() - kTailBytes)));
}

std::optional<ManifestEntry> read_manifest_line(std::string_view line) {
  if (line.size() < kStart.size() + kTailBytes || !line.starts_with(kStart)) return std::nullopt;
  const std::string_view body = line.substr(0, line.size() - kTailBytes);
  if (line.substr(body.size()) != fmt::format("{}{:08x}\"}}", kChecksum, checksum(body))) {
    return std::nullopt;
  }
  ManifestEntry entry;
  std::string_view rest = body;
  const auto key = take_last(rest, "key");
  const auto sum = take_last(rest, "sha256");
  const auto bytes = take_last(rest, "bytes");
  const auto model = take_last(rest, "model_hash");
  const size_t quote_at = body.find('"', kStart.size());
  if (!key || !sum || !bytes || !model || quote_at == std::string_view::npos) return std::nullopt;
  const auto result = std::from_chars(bytes->data(), bytes->data() + bytes->size(), entry.bytes);
  if (result.ec != std::errc() || result.ptr != bytes->data() + bytes->size()) return std::nullopt;
  entry.repeat = repeat_at_end(rest);
  entry.file_name = body.substr(kStart.size(), quote_at - kStart.size());
  if (!is_picture_name(entry.file_name)) return std::nullopt;
  entry.key = *key;
  entry.sha256 = *sum;
  entry.model = *model;
  return entry;
}

void read_manifest(const std::string& path, const std::function<void(const ManifestRow&)>& each) {
  const RegularFile opened = open_regular(path, O_RDONLY);
  const auto fail = [&](const std::string& reason) {
    throw Error(ErrorKind::kMissing, "cannot read " + quote(path) + ": " + reason);
  };
  if (opened.absent) return;
  if (!opened.problem.empty()) fail(opened.problem);
  LineSplitter lines(each);
  std::string block(size_t{1} << 20, '\0');
  while (true) {
    const ssize_t got = ::read(opened.file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(reason_of(errno));
    if (got == 0) break;
    lines.add(std::string_view(block).substr(0, static_cast<size_t>(got)));
  }
  lines.finish();
}

std::optional<ManifestEntry> read_row(const ManifestRow& row, const std::string& directory) {
  auto entry = row.torn ? std::nullopt : read_manifest_line(row.text);
  if (entry && !stays_inside(directory, entry->file_name)) return std::nullopt;
  return entry;
}

bool can_be_torn_line(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (!text.starts_with(kStart.substr(0, text.size()))) return false;
  if (read_manifest_line(text)) return true;  // only the line end is missing
  // A line with all braces closed is not torn: another program wrote it.
  try {
    Json::parse(text, "line", {.depth = 100});
    return false;
  } catch (const Error&) {
    return true;
  }
}

bool is_of_batch(const std::string& path) {
  bool whole = false, others = false;
  read_manifest(path, [&](const ManifestRow& row) {
    if (whole) return;
    whole = read_manifest_line(row.text).has_value();
    others = others || !row.torn || !can_be_torn_line(row.text);
  });
  return whole || !others;
}

std::vector<std::string> manifests_in(const std::string& directory) {
  std::vector<std::string> found;
  for (std::string& name : names_in(directory)) {
    if (is_manifest_name(name)) found.push_back(std::move(name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

uint64_t ManifestIndex::hash(std::string_view text) {
  const uint64_t h = fnv1a(text);
  return h ^ (h >> 29);
}

void ManifestIndex::add(const ManifestEntry& entry) {
  known_[hash(listing_of(entry))] = {hash(entry.model), hash(entry.key), hash(entry.sha256),
                                     entry.bytes};
}

const ManifestIndex::Known* ManifestIndex::find(std::string_view listing) const {
  const auto found = known_.find(hash(listing));
  return found == known_.end() ? nullptr : &found->second;
}

}  // namespace bifrons
