// Writes a temporary file, syncs it, renames it and syncs the directory.
#include "src/io/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "kernels/error.h"
#include "src/io/descriptor.h"
#include "src/io/fnv1a.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
  throw Error(ErrorKind::kCannotWrite, "cannot write " + quote(path.string()) + ": " + reason);
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// Name of the temporary file. If the name is so long that ".part" might not fit, a hash of it
// (FNV-1a) is used instead.
std::string part_name(const std::filesystem::path& path) {
  constexpr size_t kLongestKept = 100, kLongestPath = 4000;  // bytes; the limits are 255 and 4095
  const std::string name = path.filename().string();
  if (name.size() <= kLongestKept && path.native().size() <= kLongestPath) {
    return "." + name + ".part";
  }
  return fmt::format(".{:016x}.part", fnv1a(name));
}

// The locked `.part` file of a path. The destructor removes it unless it was renamed.
class Part {
 public:
  explicit Part(const std::filesystem::path& path)
      : path_(path), part_(path.parent_path() / part_name(path)) {
    // A `.part` file that a killed process left is reused. After locking, the name must still refer
    // to the locked file: the process that held the lock may just have renamed it to the final
    // name.
    for (int attempt = 0; attempt < 100; ++attempt) {
      file_ = open(part_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
      if (file_ < 0) fail(path_, reason_of(errno));
      if (flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(file_);
        fail(path_, "another process is writing it");
      }
      struct stat held = {};
      struct stat named = {};
      if (fstat(file_, &held) == 0 && S_ISREG(held.st_mode) && held.st_nlink == 1 &&
          lstat(part_.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
          held.st_dev == named.st_dev) {
        return;
      }
      close(file_);
    }
    fail(path_, quote(part_.string()) + " is in the way");
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() {
    if (!renamed_) unlink(part_.c_str());
    close(file_);
  }

  void write_all(std::span<const uint8_t> bytes) {
    if (ftruncate(file_, 0) != 0) fail(path_, reason_of(errno));
    const int error_number =
        bifrons::write_all(file_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (error_number != 0) fail(path_, reason_of(error_number));
    if (fsync(file_) != 0) fail(path_, reason_of(errno));
  }

  // Returns false if `path` exists and must not be replaced.
  bool rename_to_path(IfExists if_exists) {
    int result = 0;
    if (if_exists == IfExists::kReplace) {
      result = rename(part_.c_str(), path_.c_str());
    } else {
      result = renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
      if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {  // some network file systems
        struct stat existing = {};
        if (lstat(path_.c_str(), &existing) == 0) return false;
        result = rename(part_.c_str(), path_.c_str());
      }
      if (result != 0 && errno == EEXIST) return false;
    }
    if (result != 0) fail(path_, reason_of(errno));
    renamed_ = true;
    return true;
  }

 private:
  std::filesystem::path path_;
  std::filesystem::path part_;
  int file_ = -1;
  bool renamed_ = false;
};

}  // namespace

// Refuses what would make the rename fail, and what the rename must not remove: a device, a pipe,
// or a link to one such as /dev/stdout. Every other link is replaced and not followed.
void refuse_obstacles(const std::filesystem::path& path) {
  if (directory_exists(path)) fail(path, "it is a directory");
  if (const int obstacle = obstacle_at(path); obstacle != 0) fail(path, reason_of(obstacle));
  std::error_code error;  // no such file, or a loop of links, which is replaced
  const auto status = std::filesystem::status(path, error);
  if (exists(status) && !is_regular_file(status)) fail(path, "it is not a regular file");
}

bool write_durably(const std::filesystem::path& path, std::span<const uint8_t> bytes,
                   IfExists if_exists) {
  refuse_obstacles(path);
  Part part(path);
  part.write_all(bytes);
  if (!part.rename_to_path(if_exists)) return false;
  sync_directory(directory_of(path), path.string());
  return true;
}

void sweep_part(const std::filesystem::path& path) {
  if (!path_exists(path.parent_path() / part_name(path))) return;
  try {
    const Part taken_over(path);
  } catch (const Error&) {  // in use, or not a file of ours
  }
}

void check_writable(const std::filesystem::path& path) {
  refuse_obstacles(path);
  const Part part(path);
}

}  // namespace bifrons
