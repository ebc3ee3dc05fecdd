// The central directory of a ZIP file as PyTorch writes it.
#include "src/weights/zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "src/io/quote.h"
#include "src/weights/container.h"
#include "src/weights/little_endian.h"

namespace bifrons {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr int64_t kEndBytes = 22;
constexpr int64_t kEnd64Bytes = 56;
constexpr int64_t kLocator64Bytes = 20;
constexpr int64_t kCentralBytes = 46;
constexpr int64_t kLocalBytes = 30;
constexpr uint32_t kFull16 = 0xffff;
constexpr uint32_t kFull32 = 0xffffffff;
constexpr uint16_t kExtra64 = 1;
constexpr uint32_t kFlagDescriptor = 0x0008;  // data descriptor: sizes follow the data
constexpr uint32_t kFlagUtf8 = 0x0800;
constexpr uint64_t kMaxEntries = kMaxTensors + 100;
constexpr int64_t kMaxDirectory = 8 << 20;

// Position of the central directory, and its stated number of entries.
struct Extent {
  uint64_t entries = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  int64_t end = 0;  // start of the end record, or of the 64-bit one if there is one
};

struct CentralEntry {
  ZipEntry entry;  // its offset is not known yet
  uint64_t local_offset = 0;
  uint32_t flags = 0;
};

// A field of the 32-bit end record must equal the 64-bit field, or be the value for "see ZIP64".
bool agrees(uint64_t narrow, uint64_t wide, uint64_t full) {
  return narrow == wide || narrow == full;
}

// Reads the 64-bit end record. It lies before its locator, which begins at `locator`.
Extent read_end64(const ByteSource& file, int64_t locator, const Extent& narrow) {
  const int64_t at = locator - kEnd64Bytes;
  const std::string pointer = file.read_text(locator, kLocator64Bytes);
  LittleEndian l(pointer);
  l.skip(4);
  const uint32_t disk = l.u32();
  const uint64_t offset = l.u64();
  const uint32_t disks = l.u32();
  if (at < 0 || disk != 0 || disks > 1 || offset != static_cast<uint64_t>(at)) {
    refuse(file.name(), "the ZIP64 locator does not point at the record in front of it");
  }
  const std::string record = file.read_text(at, kEnd64Bytes);
  LittleEndian r(record);
  const uint32_t signature = r.u32();
  const uint64_t size = r.u64();
  r.skip(4);  // versions
  const uint32_t this_disk = r.u32();
  const uint32_t directory_disk = r.u32();
  const uint64_t entries_here = r.u64();
  Extent wide;
  wide.entries = r.u64();
  wide.bytes = r.u64();
  wide.offset = r.u64();
  wide.end = at;
  if (signature != kEnd64Signature || size != kEnd64Bytes - 12 || this_disk != 0 ||
      directory_disk != 0 || entries_here != wide.entries) {
    refuse(file.name(), "the ZIP64 end record is damaged");
  }
  if (!agrees(narrow.entries, wide.entries, kFull16) ||
      !agrees(narrow.bytes, wide.bytes, kFull32) || !agrees(narrow.offset, wide.offset, kFull32)) {
    refuse(file.name(), "the two end records of the ZIP disagree");
  }
  return wide;
}

Extent read_end(const ByteSource& file) {
  if (file.size() < kEndBytes) refuse(file.name(), "too short for a ZIP file");
  const int64_t at = file.size() - kEndBytes;
  const std::string record = file.read_text(at, kEndBytes);
  LittleEndian r(record);
  if (r.u32() != kEndSignature) {
    refuse(file.name(),
           fmt::format("cut off: the directory at its end is missing, {} bytes are there; "
                       "download it again",
                       file.size()));
  }
  const uint32_t disk = r.u16();
  const uint32_t directory_disk = r.u16();
  const uint64_t entries_here = r.u16();
  Extent extent;
  extent.entries = r.u16();
  extent.bytes = r.u32();
  extent.offset = r.u32();
  const uint32_t comment = r.u16();
  extent.end = at;
  if (disk != 0 || directory_disk != 0 || entries_here != extent.entries || comment != 0) {
    refuse(file.name(), "the end record of the ZIP is damaged");
  }
  const int64_t locator = at - kLocator64Bytes;
  if (locator >= 0) {
    const std::string signature = file.read_text(locator, 4);
    if (LittleEndian(signature).u32() == kLocator64Signature) {
      extent = read_end64(file, locator, extent);
    }
  }
  const auto end = static_cast<uint64_t>(extent.end);
  if (extent.offset > end || extent.bytes != end - extent.offset) {
    refuse(file.name(), "the ZIP directory does not end where the end record begins");
  }
  if (extent.bytes > static_cast<uint64_t>(kMaxDirectory) || extent.entries > kMaxEntries ||
      extent.entries * kCentralBytes > extent.bytes) {
    refuse(file.name(), fmt::format("a ZIP directory of {} entries in {} bytes is not plausible",
                                    extent.entries, extent.bytes));
  }
  return extent;
}

bool is_plain_path(std::string_view name) {
  if (name.empty() || name.size() > 1024 || name.front() == '/' || name.back() == '/') return false;
  for (const char c : name) {
    if (c < 0x20 || c > 0x7e || c == '\\') return false;
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

// Payload of the ZIP64 extra field of an entry; empty if there is none, nullopt if the extra fields
// are malformed.
std::optional<std::string_view> find_extra64(std::string_view extra) {
  std::string_view found;
  while (!extra.empty()) {
    if (extra.size() < 4) return std::nullopt;
    LittleEndian field(extra);
    const uint32_t id = field.u16();
    const uint32_t size = field.u16();
    if (size > extra.size() - 4) return std::nullopt;
    if (id == kExtra64) {
      if (!found.empty() || size == 0) return std::nullopt;
      found = extra.substr(4, size);
    }
    extra.remove_prefix(4 + size);
  }
  return found;
}

// Fields that the central directory entry and the local header have in the same order.
struct EntryFields {
  uint32_t flags = 0;
  uint32_t method = 0;
  uint32_t crc32 = 0;
  uint64_t stored = 0;
  uint64_t bytes = 0;
  size_t name_length = 0;
  size_t extra_length = 0;
};

EntryFields read_fields(LittleEndian& r) {
  EntryFields fields;
  r.skip(2);  // version
  fields.flags = r.u16();
  fields.method = r.u16();
  r.skip(4);  // time and date
  fields.crc32 = r.u32();
  fields.stored = r.u32();
  fields.bytes = r.u32();
  fields.name_length = r.u16();
  fields.extra_length = r.u16();
  return fields;
}

// Parses the entry at the front of `rest` and removes it.
CentralEntry take_central(const ByteSource& file, std::string_view& rest) {
  const auto damaged = [&] { refuse(file.name(), "the ZIP directory is damaged"); };
  if (rest.size() < kCentralBytes) damaged();
  LittleEndian r(rest);
  if (r.u32() != kCentralSignature) damaged();
  CentralEntry central;
  r.skip(2);  // version made by
  EntryFields fields = read_fields(r);
  central.flags = fields.flags;
  central.entry.crc32 = fields.crc32;
  const size_t comment_length = r.u16();
  const uint32_t disk = r.u16();
  r.skip(6);  // attributes
  central.local_offset = r.u32();
  const size_t name_end = kCentralBytes + fields.name_length;
  if (rest.size() < name_end + fields.extra_length) damaged();
  central.entry.name = rest.substr(kCentralBytes, fields.name_length);
  const auto extra = find_extra64(rest.substr(name_end, fields.extra_length));
  rest.remove_prefix(name_end + fields.extra_length);
  const std::string where = fmt::format("{}: ZIP entry {}", file.name(), quote(central.entry.name));

  if (!is_plain_path(central.entry.name)) refuse(where, "is not a plain relative path");
  if (!extra || comment_length != 0 || disk != 0) refuse(where, "is damaged in the directory");
  // The ZIP64 extra field holds the values that did not fit in 32 bits, in this order.
  LittleEndian wide(*extra);
  for (uint64_t* value : {&fields.bytes, &fields.stored, &central.local_offset}) {
    if (*value != kFull32) continue;
    if (wide.left() < 8) refuse(where, "lacks a ZIP64 value");
    *value = wide.u64();
  }
  if (wide.left() != 0) refuse(where, "has ZIP64 values that nothing asks for");
  if ((central.flags & ~(kFlagDescriptor | kFlagUtf8)) != 0) {
    refuse(where, "is encrypted or has unknown flags");
  }
  if (fields.method != 0 || fields.stored != fields.bytes) {
    refuse(where, "is compressed; PyTorch stores without compression");
  }
  if (fields.bytes >= static_cast<uint64_t>(kSizeLimit)) refuse(where, "is larger than the file");
  central.entry.bytes = static_cast<int64_t>(fields.bytes);
  return central;
}

// Compares the local header with the directory entry and finds the data after it. The data must end
// before `limit`, the start of the directory.
void locate(const ByteSource& file, CentralEntry& central, int64_t limit) {
  ZipEntry& entry = central.entry;
  const std::string where = fmt::format("{}: ZIP entry {}", file.name(), quote(entry.name));
  if (central.local_offset > static_cast<uint64_t>(limit) ||
      limit - static_cast<int64_t>(central.local_offset) < kLocalBytes) {
    refuse(where, "begins outside of the data");
  }
  const auto at = static_cast<int64_t>(central.local_offset);
  const std::string header = file.read_text(at, kLocalBytes);
  LittleEndian r(header);
  const bool signed_right = r.u32() == kLocalSignature;
  EntryFields fields = read_fields(r);
  const auto tail_bytes = static_cast<int64_t>(fields.name_length + fields.extra_length);
  if (!signed_right || fields.flags != central.flags || fields.method != 0 ||
      fields.name_length != entry.name.size() || limit - at - kLocalBytes < tail_bytes) {
    refuse(where, "differs between the directory and its own header");
  }
  const std::string tail = file.read_text(at + kLocalBytes, tail_bytes);
  const std::string_view view = tail;
  const auto extra = find_extra64(view.substr(fields.name_length));
  if (!extra || view.substr(0, fields.name_length) != entry.name) {
    refuse(where, "differs between the directory and its own header");
  }
  LittleEndian wide(*extra);
  for (uint64_t* value : {&fields.bytes, &fields.stored}) {
    if (*value == kFull32 && wide.left() >= 8) *value = wide.u64();
  }
  const bool postponed = (fields.flags & kFlagDescriptor) != 0 && fields.crc32 == 0 &&
                         fields.stored == 0 && fields.bytes == 0;
  const auto size = static_cast<uint64_t>(entry.bytes);
  if (!postponed &&
      (fields.crc32 != entry.crc32 || fields.stored != size || fields.bytes != size)) {
    refuse(where, "differs between the directory and its own header");
  }
  entry.offset = at + kLocalBytes + tail_bytes;
  if (entry.bytes > limit - entry.offset) refuse(where, "is larger than the file");
}

}  // namespace

std::vector<ZipEntry> read_zip_directory(const ByteSource& file) {
  const Extent extent = read_end(file);
  const auto begin = static_cast<int64_t>(extent.offset);
  const std::string directory = file.read_text(begin, static_cast<int64_t>(extent.bytes));

  std::string_view rest = directory;
  std::vector<CentralEntry> found;
  for (uint64_t i = 0; i < extent.entries; ++i) {
    found.push_back(take_central(file, rest));
    locate(file, found.back(), begin);
  }
  if (!rest.empty()) refuse(file.name(), "the ZIP directory has more bytes than entries");

  std::vector<const CentralEntry*> order;
  std::unordered_set<std::string_view> names;
  for (const CentralEntry& central : found) {
    order.push_back(&central);
    if (!names.insert(central.entry.name).second) {
      refuse(file.name(), fmt::format("ZIP entry {} stands twice", quote(central.entry.name)));
    }
  }
  std::sort(order.begin(), order.end(), [](const CentralEntry* a, const CentralEntry* b) {
    return a->local_offset < b->local_offset;
  });
  uint64_t end = 0;
  for (const CentralEntry* central : order) {
    if (central->local_offset < end) {
      refuse(file.name(), fmt::format("ZIP entry {} overlaps another", quote(central->entry.name)));
    }
    end = static_cast<uint64_t>(central->entry.offset + central->entry.bytes);
  }

  std::vector<ZipEntry> entries;
  entries.reserve(found.size());
  for (CentralEntry& central : found) entries.push_back(std::move(central.entry));
  return entries;
}

}  // namespace bifrons
