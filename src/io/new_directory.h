// A new directory that appears whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/descriptor.h"

namespace bifrons {

// A file of a new directory, written once from its beginning to its end. All functions throw Error
// (cannot write) that names the directory.
class NewFile {
 public:
  NewFile(UniqueFd fd, std::string shown) : fd_(std::move(fd)), shown_(std::move(shown)) {}

  void write(std::string_view bytes);
  void write(std::span<const std::byte> bytes);
  // Leaves room that write_at() fills later.
  void skip(int64_t bytes);
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  int64_t size() const { return size_; }
  // Syncs the file. Nothing may be written after that.
  void finish();

 private:
  UniqueFd fd_;
  std::string shown_;
  int64_t size_ = 0;
};

// Files are created in a hidden directory beside `path`, `.<name>.bifrons-part`, which publish()
// renames to `path`. The destructor removes it, with what was written, unless it was published. One
// that a killed process left is taken over; two processes do not share one.
class NewDirectory {
 public:
  // The directory above must exist. Throws Error: usage (`path` exists and is not an empty
  // directory), cannot write.
  explicit NewDirectory(const std::string& path);
  ~NewDirectory();
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  NewFile create(const std::string& name);
  void publish();

 private:
  void remove_part() const;

  std::filesystem::path path_, part_;
  UniqueFd lock_;
  bool published_ = false;
};

}  // namespace bifrons
