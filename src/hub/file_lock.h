// A lock file as Hugging Face's own tools hold it (flock), so that both can use one cache.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "src/io/descriptor.h"

namespace bifrons::hub {

class FileLock {
 public:
  // Waits until no other process holds the lock. `heed` is called meanwhile and may throw;
  // `waiting` is called once, after a second. On a file system without locks there is none. Throws
  // Error (cannot write) if the file cannot be made.
  FileLock(const std::filesystem::path& path, const std::function<void()>& heed,
           const std::function<void()>& waiting);

 private:
  UniqueFd file_;  // closing it releases the lock
};

}  // namespace bifrons::hub
