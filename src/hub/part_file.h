// A file that is being downloaded: its first bytes, kept between runs, and their checksum.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "src/hub/hub_client.h"
#include "src/hub/stream_checksum.h"
#include "src/io/descriptor.h"

namespace bifrons::hub {

class PartFile {
 public:
  // Opens or makes `path`. A part that is longer than the file, or is not a regular file of one
  // name, is thrown away. Throws Error (cannot write).
  PartFile(std::filesystem::path path, const RemoteFile& file);

  int64_t bytes() const { return bytes_; }  // taken so far
  bool is_whole() const { return bytes_ == file_.bytes; }

  // Hashes the bytes that are there. `heed` is called between blocks and may throw.
  void hash_again(const std::function<void()>& heed);
  // Appends; at most up to the size of the file. Throws Error (cannot write).
  void take(std::span<const uint8_t> bytes);
  // Hands all bytes to the system, so that they are there in the next run.
  void flush();
  void truncate();
  // Whether the checksum of the whole file is right. Call it once.
  bool is_right();
  // Syncs, and gives the file its name in place of what is there. Throws Error (cannot write).
  void rename_to(const std::filesystem::path& path);
  void remove();

 private:
  [[noreturn]] void fail(int error_number) const;
  void begin_checksum();

  std::filesystem::path path_;
  const RemoteFile& file_;
  UniqueFd fd_;
  int64_t bytes_ = 0;    // with those in block_
  int64_t started_ = 0;  // bytes whose way to the disk was begun
  Block block_;          // not written yet
  std::unique_ptr<StreamChecksum> checksum_;
};

}  // namespace bifrons::hub
