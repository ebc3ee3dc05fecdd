// An open directory and the regular files in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/io/byte_source.h"
#include "src/io/descriptor.h"

namespace bifrons {

// Identity and state of an open file, to notice later changes.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t bytes = 0;
  int64_t modified_ns = 0;

  bool operator==(const FileIdentity&) const = default;
};

// A regular file that is not empty, open for reading with pread.
class File : public ByteSource {
 public:
  File(UniqueFd fd, std::string name, FileIdentity identity)
      : fd_(std::move(fd)), name_(std::move(name)), identity_(identity) {}

  const std::string& name() const override { return name_; }
  int64_t size() const override { return identity_.bytes; }
  void read(int64_t offset, std::span<std::byte> destination) const override;

  int descriptor() const { return fd_.get(); }
  // Throws Error (data) if size or modification time changed since the file was opened. A file that
  // was replaced by rename passes, because the descriptor still refers to the complete old file.
  void verify_unchanged() const;

 private:
  UniqueFd fd_;
  std::string name_;
  FileIdentity identity_;
};

// Files are opened relative to the directory's descriptor, so renaming the directory or one of its
// parents has no effect. Symbolic links are followed, because the cache of the Hugging Face hub
// uses them.
class Directory {
 public:
  // Throws Error (missing) if `path` does not exist or is not a directory.
  static Directory open(const std::string& path);

  const std::string& path() const { return path_; }
  // Names of the entries, sorted, without "." and "..".
  std::vector<std::string> names() const;
  // Whether an entry of any kind has this name. A dangling link counts.
  bool contains(std::string_view name) const;
  // `name` has no slash. Throws Error (missing: no such file; data: empty, or not a regular file).
  File open_file(const std::string& name) const;
  // Reads a whole file of at most `max_bytes` bytes. Throws as open_file does, and Error (data) if
  // the file is larger.
  std::string read_file(const std::string& name, int64_t max_bytes) const;
  // Directory and `name` for messages, quoted.
  std::string shown(std::string_view name) const;

 private:
  Directory(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
};

}  // namespace bifrons
