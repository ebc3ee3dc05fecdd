// The safetensors container: header length, JSON header, data.
#include "src/weights/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/bytes.h"
#include "kernels/error.h"
#include "src/io/file_kind.h"
#include "src/io/json.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

// The format allows 100 MB. The largest header of a published shard has about 0.1 MB.
constexpr int64_t kMaxHeader = 8 << 20;
constexpr int64_t kLengthBytes = 8;

struct ElementType {
  std::string_view name;
  int64_t bytes;
  std::optional<DType> dtype;
};

constexpr std::array<ElementType, 19> kElementTypes{{
    {"BF16", 2, DType::kBf16},        {"F16", 2, DType::kF16},
    {"F32", 4, DType::kF32},          {"F64", 8, std::nullopt},
    {"I64", 8, std::nullopt},         {"I32", 4, std::nullopt},
    {"I16", 2, std::nullopt},         {"I8", 1, std::nullopt},
    {"U64", 8, std::nullopt},         {"U32", 4, std::nullopt},
    {"U16", 2, std::nullopt},         {"U8", 1, std::nullopt},
    {"BOOL", 1, std::nullopt},        {"F8_E4M3", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},     {"F8_E8M0", 1, std::nullopt},
    {"F8_E4M3FNUZ", 1, std::nullopt}, {"F8_E5M2FNUZ", 1, std::nullopt},
    {"C64", 8, std::nullopt},
}};

void refuse_other_formats(const ByteSource& file) {
  const std::string front =
      file.read_text(0, std::min<int64_t>(file.size(), static_cast<int64_t>(kMagicBytes)));
  if (front.starts_with("PK\x03\x04")) {
    refuse(file.name(),
           "is a zip archive, as torch.save writes them, not a safetensors file; call it "
           "pytorch_model.bin if it holds weights, else unpack it");
  }
  if (const auto kind = detect_file_kind(front, "weights")) refuse(file.name(), *kind);
}

// Reads the header after checking its length against the file size.
std::string read_header(const ByteSource& file) {
  if (file.size() < kLengthBytes + 2) {
    refuse(file.name(), fmt::format("{} bytes are too few for a safetensors file", file.size()));
  }
  const uint64_t length = little_endian(file.read_text(0, kLengthBytes));
  const auto available = static_cast<uint64_t>(file.size() - kLengthBytes);
  if (length > static_cast<uint64_t>(kMaxHeader)) {
    refuse(file.name(), fmt::format("the header is declared to have {} bytes; at most {} are read "
                                    "(is it a safetensors file?)",
                                    length, kMaxHeader));
  }
  if (length > available) {
    refuse(file.name(), fmt::format("cut off: {} bytes are there, but its header alone has {}; "
                                    "download it again",
                                    file.size(), length));
  }
  std::string header = file.read_text(kLengthBytes, static_cast<int64_t>(length));
  if (header.empty() || header[0] != '{') refuse(file.name(), "the header does not begin with {");
  return header;
}

const Json& require(const Json& object, std::string_view field, const std::string& where) {
  const Json* value = object.find(field);
  if (value == nullptr) {
    throw Error(ErrorKind::kData, fmt::format("{}: {} is missing", where, field));
  }
  return *value;
}

// `data_begin`: file offset of the data section. The caller checks that the data end within the
// file.
TensorEntry read_entry(const std::string& name, const Json& json, const std::string& where,
                       int64_t data_begin) {
  if (json.members(where).size() != 3)
    refuse(where, "has other fields than dtype, shape, data_offsets");
  TensorEntry entry;
  entry.name = name;
  entry.stored_type = require(json, "dtype", where).text(where + ": dtype");
  const auto type = std::find_if(kElementTypes.begin(), kElementTypes.end(),
                                 [&](const auto& t) { return t.name == entry.stored_type; });
  if (type == kElementTypes.end()) {
    refuse(where, fmt::format("dtype {} is not supported; bf16, f16 and f32 are",
                              quote(entry.stored_type, 40)));
  }
  entry.dtype = type->dtype;

  const auto shape = require(json, "shape", where).items(where + ": shape");
  if (shape.size() > kMaxTensorRank) refuse(where, "has more than 8 dimensions");
  for (const Json& n : shape) entry.shape.push_back(n.unsigned_integer(where + ": shape"));

  const auto offsets = require(json, "data_offsets", where).items(where + ": data_offsets");
  if (offsets.size() != 2) refuse(where, "data_offsets are not two numbers");
  const int64_t begin = offsets[0].unsigned_integer(where + ": data_offsets");
  const int64_t end = offsets[1].unsigned_integer(where + ": data_offsets");
  if (begin > end || end >= kSizeLimit) {
    refuse(where, fmt::format("data_offsets [{}, {}] are no range of bytes", begin, end));
  }
  const auto count = element_count(entry.shape);
  const auto bytes = count ? product_within_limit(*count, type->bytes) : std::nullopt;
  if (!bytes || *bytes != end - begin) {
    refuse(where, fmt::format("{} bytes of data do not fit shape and dtype", end - begin));
  }
  entry.offset = data_begin + begin;
  entry.bytes = *bytes;
  return entry;
}

// Each byte of the data section must belong to exactly one tensor, so the file has only one
// interpretation. Gaps and overlaps are checked first, so only a well-formed file is reported as
// truncated.
void check_tiling(const ByteSource& file, const std::vector<TensorEntry>& tensors, int64_t begin) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  int64_t end = begin;
  for (const TensorEntry* t : order) {
    if (t->offset != end) {
      refuse(file.name(), fmt::format("tensor {}: its data {} the data before it", quote(t->name),
                                      t->offset < end ? "overlap" : "leave a hole after"));
    }
    end += t->bytes;
  }
  if (end > file.size()) {
    refuse(file.name(),
           fmt::format("cut off: {} of {} bytes are there; download it again", file.size(), end));
  }
  if (end < file.size()) {
    refuse(file.name(), fmt::format("{} bytes follow the last tensor", file.size() - end));
  }
}

}  // namespace

Container read_safetensors(const ByteSource& file) {
  refuse_other_formats(file);
  const std::string header = read_header(file);
  const JsonLimits limits{kMaxHeader, 4, 20 * kMaxTensors};
  const Json root = Json::parse(header, file.name(), limits);
  const int64_t data_begin = kLengthBytes + static_cast<int64_t>(header.size());

  Container container;
  for (const auto& [name, value] : root.members(file.name())) {
    if (name == "__metadata__") {
      const std::string where = file.name() + ": __metadata__";
      for (const auto& item : value.members(where)) item.second.text(where);
      continue;
    }
    if (std::cmp_greater_equal(container.tensors.size(), kMaxTensors)) {
      refuse(file.name(), fmt::format("more than {} tensors", kMaxTensors));
    }
    const std::string where = fmt::format("{}: tensor {}", file.name(), quote(name));
    container.tensors.push_back(read_entry(name, value, where, data_begin));
  }
  check_tiling(file, container.tensors, data_begin);
  return container;
}

}  // namespace bifrons
