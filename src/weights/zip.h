// The directory of a ZIP file as PyTorch writes it: entries stored, sizes possibly of 64 bits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/io/byte_source.h"

namespace bifrons {

struct ZipEntry {
  std::string name;
  int64_t offset = 0;  // of the data, bytes from the start of the file
  int64_t bytes = 0;
  uint32_t crc32 = 0;  // 0: not given, unless the entry is empty
};

// All entries, in the order of the directory. Throws Error (data) wherever two readers of ZIP might
// disagree: anything but one end record at the very end, directory and data that overlap or leave
// the file, compression, encryption, unknown flags, names that are not plain relative paths or
// stand twice, local headers that differ from the directory.
std::vector<ZipEntry> read_zip_directory(const ByteSource& file);

}  // namespace bifrons
