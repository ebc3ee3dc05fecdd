// Reader for torch.save files: a ZIP archive with one pickle and raw storages.
#include "src/weights/torch_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "src/io/file_kind.h"
#include "src/io/quote.h"
#include "src/weights/pickle.h"
#include "src/weights/zip.h"

namespace bifrons {
namespace {

constexpr int64_t kMaxPickleBytes = 16 << 20;
constexpr std::string_view kConvert =
    "load it with a trusted PyTorch and save its state_dict() again with torch.save, or as "
    "safetensors";

// Entries by name; the name is relative to the one folder that contains all entries.
using Entries = std::unordered_map<std::string_view, const ZipEntry*>;

void refuse_other_than_torch(const ByteSource& file) {
  const int64_t size = file.size();
  const std::string front = file.read_text(0, std::min<int64_t>(size, kMagicBytes));
  constexpr std::string_view kLegacy("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                                     14);
  if (front.starts_with(kLegacy)) {
    refuse(file.name(), fmt::format("is in the format of PyTorch before 1.6; {}", kConvert));
  }
  if (front.size() >= 262 && front.substr(257, 5) == "ustar") {
    refuse(file.name(), fmt::format("is a tar file; {}", kConvert));
  }
  if (front.starts_with("PK\x03\x04")) return;
  if (const auto kind = detect_file_kind(front, "weights")) refuse(file.name(), *kind);
  if (front.size() > 8 && front[8] == '{') {
    refuse(file.name(),
           "begins like a safetensors file, not like one of torch.save; call it model.safetensors");
  }
  refuse(file.name(), "does not begin like a file of torch.save; download it again");
}

Entries index_entries(const ByteSource& file, const std::vector<ZipEntry>& entries) {
  Entries by_name;
  std::string_view root;
  for (const ZipEntry& entry : entries) {
    const std::string_view name = entry.name;
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos) refuse(file.name(), "has an entry outside of its folder");
    if (by_name.empty()) root = name.substr(0, slash);
    if (name.substr(0, slash) != root) refuse(file.name(), "has more than one folder");
    const std::string_view below = name.substr(slash + 1);
    if (below == "constants.pkl" || below.starts_with("code/")) {
      refuse(file.name(), fmt::format("is a TorchScript program; {}", kConvert));
    }
    by_name.emplace(below, &entry);
  }
  return by_name;
}

// Text of a small entry; `absent` if the archive does not have it.
std::string read_small_entry(const ByteSource& file, const Entries& entries, std::string_view name,
                             std::string_view absent) {
  const auto at = entries.find(name);
  if (at == entries.end()) return std::string(absent);
  if (at->second->bytes > 16) refuse(file.name(), fmt::format("its {} is too long", name));
  std::string text = file.read_text(at->second->offset, at->second->bytes);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void check_version_and_byte_order(const ByteSource& file, const Entries& entries) {
  const std::string version = read_small_entry(file, entries, "version", "");
  const bool number =
      !version.empty() && version.size() <= 2 &&
      std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int value = number ? std::stoi(version) : 0;
  if (value < 1 || value > 10) {
    refuse(file.name(), fmt::format("its version is {}; 1 to 10 are known", quote(version)));
  }
  const std::string order = read_small_entry(file, entries, "byteorder", "little");
  if (order != "little") {
    refuse(file.name(), fmt::format("its byte order is {}; only little is read", quote(order)));
  }
}

std::optional<DType> weight_type(std::string_view storage_type) {
  if (storage_type == "BFloat16Storage") return DType::kBf16;
  if (storage_type == "HalfStorage") return DType::kF16;
  if (storage_type == "FloatStorage") return DType::kF32;
  return std::nullopt;
}

enum class Layout { kContiguous, kPermuted, kOther };

// Strides of dimensions of size 1 are ignored. The other strides are checked in ascending order:
// each must equal the number of elements covered by the dimensions before it.
Layout layout_of(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  std::vector<size_t> order;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) return Layout::kContiguous;
    if (shape[d] > 1) order.push_back(d);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return strides[a] > strides[b]; });
  int64_t covered = 1;
  for (size_t i = order.size(); i-- > 0;) {
    if (strides[order[i]] != covered) return Layout::kOther;
    covered *= shape[order[i]];
  }
  return std::is_sorted(order.begin(), order.end()) ? Layout::kContiguous : Layout::kPermuted;
}

TensorEntry place_tensor(const NamedPickledTensor& named, const PickledStorage& storage,
                         const ZipEntry& data, const std::string& where) {
  const PickledTensor& tensor = named.tensor;
  const auto count = element_count(tensor.shape);
  // Both are below 2^48, so the sum cannot overflow.
  if (!count || tensor.offset + *count > storage.elements) {
    refuse(where,
           fmt::format("does not lie within the {} elements of its storage", storage.elements));
  }
  const Layout layout = layout_of(tensor.shape, tensor.strides);
  if (layout == Layout::kOther) {
    refuse(where,
           "its strides are neither contiguous nor a permutation of contiguous ones; save "
           "tensor.contiguous()");
  }
  TensorEntry entry;
  entry.name = named.name;
  entry.stored_type = storage.type;
  entry.dtype = weight_type(storage.type);
  entry.shape = tensor.shape;
  if (layout == Layout::kPermuted) entry.strides = tensor.strides;
  entry.offset = data.offset + tensor.offset * storage.element_bytes;
  entry.bytes = *count * storage.element_bytes;
  return entry;
}

}  // namespace

Container read_torch_file(const ByteSource& file) {
  refuse_other_than_torch(file);
  const std::vector<ZipEntry> directory = read_zip_directory(file);
  const Entries entries = index_entries(file, directory);
  check_version_and_byte_order(file, entries);

  const auto pickle = entries.find("data.pkl");
  if (pickle == entries.end()) refuse(file.name(), "has no data.pkl");
  if (pickle->second->bytes > kMaxPickleBytes) refuse(file.name(), "its data.pkl is too large");
  const PickledTensors pickled =
      read_pickle(file.read_text(pickle->second->offset, pickle->second->bytes), file.name());

  std::vector<const ZipEntry*> data;  // per storage
  for (const PickledStorage& storage : pickled.storages) {
    const auto at = entries.find("data/" + storage.key);
    if (at == entries.end()) refuse(file.name(), fmt::format("storage {} is missing", storage.key));
    const auto bytes = product_within_limit(storage.elements, storage.element_bytes);
    if (!bytes || *bytes != at->second->bytes) {
      refuse(file.name(),
             fmt::format("storage {} has {} bytes, which are not {} elements of {}", storage.key,
                         at->second->bytes, storage.elements, storage.type));
    }
    data.push_back(at->second);
  }

  Container container;
  for (const NamedPickledTensor& named : pickled.tensors) {
    const std::string where = fmt::format("{}: tensor {}", file.name(), quote(named.name));
    const size_t s = named.tensor.storage;
    container.tensors.push_back(place_tensor(named, pickled.storages[s], *data[s], where));
  }
  // Only entries that are read have their checksum verified. An archive may have further entries of
  // any size.
  std::unordered_set<const ZipEntry*> read(data.begin(), data.end());
  for (const std::string_view note : {"data.pkl", "version", "byteorder"}) {
    if (const auto at = entries.find(note); at != entries.end()) read.insert(at->second);
  }
  for (const ZipEntry& entry : directory) {
    if (entry.crc32 == 0) continue;  // written without a checksum, which torch allows
    if (!read.contains(&entry)) continue;
    container.checksums.push_back({entry.name, entry.offset, entry.bytes, entry.crc32});
  }
  return container;
}

}  // namespace bifrons
