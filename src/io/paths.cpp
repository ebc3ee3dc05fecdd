// System calls replace functions of std::filesystem that throw.
#include "src/io/paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "kernels/error.h"
#include "src/io/quote.h"

namespace bifrons {

namespace fs = std::filesystem;

bool directory_exists(const fs::path& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool path_exists(const fs::path& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0;
}

int obstacle_at(const fs::path& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0 || errno == ENOENT) return 0;
  return errno;
}

std::string without_slashes(std::string directory) {
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  return directory;
}

fs::path canonical_path(const fs::path& path) {
  std::error_code error;
  const fs::path from_root = fs::absolute(path, error);
  const fs::path plain = (error ? path : from_root).lexically_normal();
  fs::path found = fs::weakly_canonical(plain, error);
  return error ? plain : found;
}

void sync_directory(const std::string& path, const std::string& shown) {
  const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 && errno == EACCES) return;
  if (directory.get() >= 0 &&
      (fsync(directory.get()) == 0 || errno == EINVAL || errno == ENOTSUP)) {
    return;
  }
  const int error_number = errno;
  throw Error(ErrorKind::kCannotWrite, "cannot write " + quote(shown.empty() ? path : shown) +
                                           ": " + reason_of(error_number));
}

void make_directories(const fs::path& path) {
  if (path.empty() || directory_exists(path)) return;
  const fs::path above = path.parent_path();
  if (above != path) make_directories(above);
  if (mkdir(path.c_str(), 0777) != 0) {
    const int error_number = errno;
    if (error_number == EEXIST && directory_exists(path)) return;
    throw Error(ErrorKind::kCannotWrite,
                "cannot make the directory " + quote(path.string()) + ": " +
                    (error_number == EEXIST ? std::string("something else has that name")
                                            : reason_of(error_number)));
  }
  sync_directory(path.has_parent_path() ? above.string() : ".");
}

std::string_view kind_of_file(mode_t mode) {
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

RegularFile open_regular(const std::string& path, int flags) {
  RegularFile opened;
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  const int safe_flags = (flags & ~O_TRUNC) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd file(open(path.c_str(), safe_flags, 0666));
  struct stat status = {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) {
    opened.absent = errno == ENOENT;
    opened.not_regular = errno == ENXIO;  // a socket, or a pipe for writing that nobody reads
    opened.problem = opened.not_regular ? "it is not a regular file" : reason_of(errno);
  } else if (!S_ISREG(status.st_mode)) {
    opened.not_regular = true;
    opened.problem = S_ISDIR(status.st_mode) ? "it is a directory" : "it is not a regular file";
  } else if (writes && status.st_nlink > 1) {
    opened.problem =
        "it is a hard link: the file has another name too; copy it, so that it has one";
  } else if ((flags & O_TRUNC) != 0 && ftruncate(file.get(), 0) != 0) {
    opened.problem = reason_of(errno);
  } else {
    if ((flags & O_TRUNC) != 0) status.st_size = 0;
    opened.bytes = static_cast<int64_t>(status.st_size);
    opened.file = std::move(file);
  }
  return opened;
}

}  // namespace bifrons
