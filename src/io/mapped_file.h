// A file seen as memory, for weights that are copied out once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "src/io/directory.h"

namespace bifrons {

// Read-only view of a whole file. Pages come in when they are touched.
//
// Touching a page behind the end of a file that was shortened meanwhile raises SIGBUS, and a
// library may not install a handler for it. So everything that decides (headers, directories,
// pickles) is read with pread through file(), which fails with a sentence instead, and
// verify_unchanged() before and after a tensor is copied leaves a window of that one copy. Callers
// that cannot accept even that copy with file().read().
class MappedFile {
 public:
  // Throws Error: unavailable (not enough memory), failed (the system refuses the mapping).
  explicit MappedFile(File file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  const File& file() const { return file_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  // Says that `range` (part of bytes()) is not needed any more: its pages leave this process's
  // memory, and come back from the file if they are touched again after all.
  void release(std::span<const std::byte> range) const;
  // Throws Error (data) when the file is not what it was at opening.
  void verify_unchanged() const { file_.verify_unchanged(); }

 private:
  File file_;
  std::span<const std::byte> bytes_;
};

}  // namespace bifrons
