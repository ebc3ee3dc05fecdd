// Writers of weight files that tests can bend: every number can be replaced by another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons::testing {

// The `count` low bytes of `value`, least significant first.
std::string little_endian(uint64_t value, size_t count);

// Length, header, data.
std::string safetensors_file(std::string_view header, std::string_view data);

// One entry of a ZIP; what is not set follows from name and data as torch.save has it.
struct ZipPart {
  std::string name;
  std::string data;
  uint32_t flags = 0x0808;
  uint32_t method = 0;
  std::optional<uint32_t> crc32;
  std::optional<uint64_t> stored;        // directory: bytes as compressed
  std::optional<uint64_t> bytes;         // directory: bytes
  std::optional<uint64_t> local_offset;  // directory
  std::optional<std::string> local_name;
  std::optional<uint32_t> local_flags;
  std::optional<uint32_t> local_method;
  uint32_t local_crc32 = 0;
  uint64_t local_bytes = 0;
  std::string central_extra;
  std::string comment;
  uint32_t disk = 0;
  bool zip64 = false;  // local offset and both sizes in a field of 64 bits
};

struct ZipShape {
  bool zip64 = true;  // whether the end record of 64 bits is written
  std::string before_directory{};
  std::string after_directory{};
  std::string comment{};
  std::optional<uint64_t> entries{};  // of both end records
  std::optional<uint64_t> bytes{};    // of the directory
  std::optional<uint64_t> offset{};   // of the directory
  std::optional<uint64_t> locator{};  // where the record of 64 bits is said to be
};

std::string zip_file(const std::vector<ZipPart>& parts, const ZipShape& shape = {});

// Instructions of a pickle of protocol 2, without memo.
namespace pickle {
std::string text(std::string_view value);  // BINUNICODE
std::string integer(int64_t value);        // BININT1, BININT2, BININT or LONG1
std::string global(std::string_view module, std::string_view name);
std::string tuple(const std::vector<int64_t>& values);
std::string storage(std::string_view type, std::string_view key, int64_t elements);
std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& shape,
                   const std::vector<int64_t>& strides);
// {name: value, ...} between the protocol and STOP.
std::string dict(const std::vector<std::pair<std::string, std::string>>& items);
}  // namespace pickle

// An archive like that of torch.save: the pickle and storages "0", "1", ...
std::vector<ZipPart> torch_parts(const std::string& pickle,
                                 const std::vector<std::string>& storages);

// A small archive with tensors "a" (f32 [2,3]) and "b" (bf16 [4], offset 2, of a storage of 8).
std::string small_torch_file();
// The same two tensors.
std::string small_safetensors_file();

}  // namespace bifrons::testing
