// Writers of weight files for tests; every number in a file can be replaced by another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons::testing {

// The low `count` bytes of `value`, least significant first.
std::string little_endian(uint64_t value, size_t count);

// A file of header length, header and data.
std::string safetensors_file(std::string_view header, std::string_view data);

// An entry of a ZIP file. Fields that are not set get the values that torch.save writes.
struct ZipPart {
  std::string name;
  std::string data;
  uint32_t flags = 0x0808;
  uint32_t method = 0;
  std::optional<uint32_t> crc32;
  std::optional<uint64_t> stored;        // directory: compressed size
  std::optional<uint64_t> bytes;         // directory: size
  std::optional<uint64_t> local_offset;  // directory
  std::optional<std::string> local_name;
  std::optional<uint32_t> local_flags;
  std::optional<uint32_t> local_method;
  uint32_t local_crc32 = 0;
  uint64_t local_bytes = 0;
  std::string central_extra;
  std::string comment;
  uint32_t disk = 0;
  bool zip64 = false;  // local offset and both sizes in the ZIP64 extra field
};

struct ZipShape {
  bool zip64 = true;  // whether the 64-bit end record is written
  std::string before_directory{};
  std::string after_directory{};
  std::string comment{};
  std::optional<uint64_t> entries{};  // in both end records
  std::optional<uint64_t> bytes{};    // of the directory
  std::optional<uint64_t> offset{};   // of the directory
  std::optional<uint64_t> locator{};  // stated offset of the 64-bit end record
};

std::string zip_file(const std::vector<ZipPart>& parts, const ZipShape& shape = {});

// Opcodes of a pickle of protocol 2, without memo.
namespace pickle {
std::string text(std::string_view value);  // BINUNICODE
std::string integer(int64_t value);        // BININT1, BININT2, BININT or LONG1
std::string global(std::string_view module, std::string_view name);
std::string tuple(const std::vector<int64_t>& values);
std::string storage(std::string_view type, std::string_view key, int64_t elements);
std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& shape,
                   const std::vector<int64_t>& strides);
// A complete pickle of {name: value, ...}: PROTO, dict, STOP.
std::string dict(const std::vector<std::pair<std::string, std::string>>& items);
}  // namespace pickle

// An archive as torch.save writes it: the pickle and storages "0", "1", ...
std::vector<ZipPart> torch_parts(const std::string& pickle,
                                 const std::vector<std::string>& storages);

// A small archive with tensors "a" (f32 [2,3]) and "b" (bf16 [4], offset 2 in a storage of 8).
std::string small_torch_file();
// A safetensors file with the same two tensors.
std::string small_safetensors_file();

}  // namespace bifrons::testing
