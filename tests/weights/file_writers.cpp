// Writers of weight files with changeable fields.
#include "tests/weights/file_writers.h"

#include <zlib.h>

namespace bifrons::testing {

std::string little_endian(uint64_t value, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string safetensors_file(std::string_view header, std::string_view data) {
  return little_endian(header.size(), 8) + std::string(header) + std::string(data);
}

namespace {

std::string u16(uint64_t value) { return little_endian(value, 2); }
std::string u32(uint64_t value) { return little_endian(value, 4); }
std::string u64(uint64_t value) { return little_endian(value, 8); }

std::string local_header(const ZipPart& part, size_t at) {
  const std::string name = part.local_name.value_or(part.name);
  // Padding to a multiple of 64 bytes, as torch writes it.
  const size_t pad = (64 - (at + 30 + name.size() + 4) % 64) % 64;
  const std::string extra = "FB" + u16(pad) + std::string(pad, 'Z');
  const uint64_t bytes = part.local_bytes;
  return "PK\x03\x04" + u16(0) + u16(part.local_flags.value_or(part.flags)) +
         u16(part.local_method.value_or(part.method)) + u32(0) + u32(part.local_crc32) +
         u32(bytes) + u32(bytes) + u16(name.size()) + u16(extra.size()) + name + extra;
}

std::string central_header(const ZipPart& part, size_t at, uint32_t crc) {
  const uint64_t bytes = part.bytes.value_or(part.data.size());
  const uint64_t stored = part.stored.value_or(part.bytes.value_or(part.data.size()));
  const uint64_t offset = part.local_offset.value_or(at);
  std::string extra = part.central_extra;
  if (part.zip64) extra += u16(1) + u16(24) + u64(bytes) + u64(stored) + u64(offset);
  const auto narrow = [&](uint64_t value) { return u32(part.zip64 ? 0xffffffff : value); };
  return "PK\x01\x02" + u32(0) + u16(part.flags) + u16(part.method) + u32(0) +
         u32(part.crc32.value_or(crc)) + narrow(stored) + narrow(bytes) + u16(part.name.size()) +
         u16(extra.size()) + u16(part.comment.size()) + u16(part.disk) + u16(0) + u32(0) +
         narrow(offset) + part.name + extra + part.comment;
}

}  // namespace

std::string zip_file(const std::vector<ZipPart>& parts, const ZipShape& shape) {
  std::string file;
  std::string directory;
  for (const ZipPart& part : parts) {
    const size_t at = file.size();
    file += local_header(part, at) + part.data;
    const auto crc = static_cast<uint32_t>(::crc32(
        0, reinterpret_cast<const Bytef*>(part.data.data()), static_cast<uInt>(part.data.size())));
    if ((part.flags & 8) != 0) {
      file += "PK\x07\x08" + u32(crc) + u32(part.data.size()) + u32(part.data.size());
    }
    directory += central_header(part, at, crc);
  }
  file += shape.before_directory;
  const uint64_t entries = shape.entries.value_or(parts.size());
  const uint64_t bytes = shape.bytes.value_or(directory.size());
  const uint64_t offset = shape.offset.value_or(file.size());
  file += directory + shape.after_directory;
  if (shape.zip64) {
    const uint64_t record = shape.locator.value_or(file.size());
    file += "PK\x06\x06" + u64(44) + u32(0) + u32(0) + u32(0) + u64(entries) + u64(entries) +
            u64(bytes) + u64(offset);
    file += "PK\x06\x07" + u32(0) + u64(record) + u32(1);
  }
  return file + "PK\x05\x06" + u32(0) + u16(entries) + u16(entries) + u32(bytes) + u32(offset) +
         u16(shape.comment.size()) + shape.comment;
}

namespace pickle {

std::string text(std::string_view value) { return "X" + u32(value.size()) + std::string(value); }

std::string integer(int64_t value) {
  if (value >= 0 && value < 256) return "K" + little_endian(static_cast<uint64_t>(value), 1);
  if (value >= 0 && value < 65536) return "M" + u16(static_cast<uint64_t>(value));
  if (value == static_cast<int32_t>(value)) return "J" + u32(static_cast<uint64_t>(value));
  return "\x8a\x08" + u64(static_cast<uint64_t>(value));
}

std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

std::string tuple(const std::vector<int64_t>& values) {
  std::string bytes = "(";
  for (const int64_t value : values) bytes += integer(value);
  return bytes + "t";
}

std::string storage(std::string_view type, std::string_view key, int64_t elements) {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") +
         integer(elements) + "tQ";
}

std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& shape,
                   const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(offset) +
         tuple(shape) + tuple(strides) + "\x89" + global("collections", "OrderedDict") + ")RtR";
}

std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string bytes = "\x80\x02}(";
  for (const auto& [name, value] : items) bytes += text(name) + value;
  return bytes + "u.";
}

}  // namespace pickle

std::vector<ZipPart> torch_parts(const std::string& pickle,
                                 const std::vector<std::string>& storages) {
  std::vector<ZipPart> parts(2 + storages.size());
  parts[0].name = "archive/data.pkl";
  parts[0].data = pickle;
  for (size_t i = 0; i < storages.size(); ++i) {
    parts[i + 1].name = "archive/data/" + std::to_string(i);
    parts[i + 1].data = storages[i];
  }
  parts.back().name = "archive/version";
  parts.back().data = "3\n";
  return parts;
}

std::string small_torch_file() {
  using namespace pickle;
  return zip_file(
      torch_parts(dict({{"a", tensor(storage("FloatStorage", "0", 6), 0, {2, 3}, {3, 1})},
                        {"b", tensor(storage("BFloat16Storage", "1", 8), 2, {4}, {1})}}),
                  {std::string(24, 'a'), std::string(16, 'b')}));
}

std::string small_safetensors_file() {
  return safetensors_file(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                          R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}})",
                          std::string(24, 'a') + std::string(8, 'b'));
}

}  // namespace bifrons::testing
