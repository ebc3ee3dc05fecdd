// The central directory of a ZIP file as PyTorch writes it: stored entries, 32-bit or 64-bit sizes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/io/byte_source.h"

namespace bifrons {

struct ZipEntry {
  std::string name;
  int64_t offset = 0;  // of the data, in bytes from the start of the file
  int64_t bytes = 0;
  uint32_t crc32 = 0;  // 0 if not given, or if the entry is empty
};

// Returns all entries in the order of the directory. Throws Error (data) for everything that ZIP
// readers could interpret differently: anything but one end record at the end of the file; a
// directory or data that overlap or leave the file; compression, encryption or unknown flags; a
// name that is duplicate or not a plain relative path; a local header that differs from the
// directory.
std::vector<ZipEntry> read_zip_directory(const ByteSource& file);

}  // namespace bifrons
