// A file that is being downloaded: its first bytes, kept between runs, and their checksum.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "src/hub/block_writer.h"
#include "src/hub/hub_client.h"
#include "src/io/descriptor.h"

namespace bifrons::hub {

class PartFile {
 public:
  // Opens or makes `path`. A part that is longer than the file, or is not a regular file of one
  // name, is thrown away. Throws Error (cannot write).
  PartFile(std::filesystem::path path, const RemoteFile& file);

  int64_t bytes() const { return bytes_; }  // that are there
  bool is_whole() const { return bytes_ == file_.bytes; }

  // Reads what is there for its checksum. Call it before take(). `heed` is called now and then and
  // may throw.
  void hash_again(const std::function<void()>& heed);
  // Appends; at most up to the size of the file. Throws Error (cannot write).
  void take(std::span<const uint8_t> bytes);
  // Hands all bytes to the system, so that they are there in the next run. Throws as take() does.
  void flush();
  void truncate();
  // Whether the checksum of the whole file is right. Call it once.
  bool is_right();
  // Syncs, and gives the file its name in place of what is there. Throws Error (cannot write).
  void rename_to(const std::filesystem::path& path);
  void remove();

 private:
  [[noreturn]] void fail(int error_number) const;
  void begin(const ContentDigest& digest);
  void heed_error(int error_number);

  std::filesystem::path path_;
  const RemoteFile& file_;
  UniqueFd fd_;
  int64_t bytes_ = 0;
  int64_t before_ = 0;  // bytes that were there when writer_ began
  std::unique_ptr<BlockWriter> writer_;
};

}  // namespace bifrons::hub
