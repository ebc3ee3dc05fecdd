// stat() before open() is only needed to recognise a socket. The opened file is checked again.
#include "src/io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string_view>

#include "kernels/error.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

// Whether `path` names an open descriptor, as a shell passes it. Another process already writes to
// such a pipe.
bool is_handed_over(std::string_view path) {
  return path == "/dev/stdin" || path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/");
}

bool is_null_device(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

[[noreturn]] void refuse(const std::string& path, const struct stat& status, InputKind kind) {
  throw Error(ErrorKind::kData, quote(path) + " is " + std::string(kind_of_file(status.st_mode)) +
                                    (kind == InputKind::kFile ? ", not a regular file"
                                                              : ", not a regular file or pipe"));
}

// Clears O_NONBLOCK: later reads wait for data.
void wait_for_data(const UniqueFd& fd) {
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags >= 0) fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
}

}  // namespace

InputFile open_input(const std::string& path, InputKind kind, bool (*stopped)()) {
  struct stat before = {};
  const bool known = stat(path.c_str(), &before) == 0;
  if (known && S_ISSOCK(before.st_mode)) refuse(path, before, kind);  // open() only gives ENXIO
  // O_NONBLOCK: without it, open() would wait for the writer of a pipe.
  InputFile file;
  while (true) {
    file.fd = UniqueFd(open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    if (file.fd.get() >= 0) break;
    if (errno == EINTR && !stopped()) continue;
    if (errno == EINTR) {
      throw Error(ErrorKind::kInterrupted, "stopped while opening " + quote(path));
    }
    throw Error(ErrorKind::kMissing, "cannot open " + quote(path) + ": " + reason_of(errno));
  }
  struct stat status = {};
  if (fstat(file.fd.get(), &status) != 0) {
    throw Error(ErrorKind::kMissing, "cannot read " + quote(path) + ": " + reason_of(errno));
  }
  if (S_ISREG(status.st_mode)) {
    file.bytes = status.st_size;
    return file;
  }
  const bool lines = kind == InputKind::kLines;
  const bool pipe = S_ISFIFO(status.st_mode) && (lines || is_handed_over(path));
  if (!pipe && !(lines && is_null_device(status))) refuse(path, status, kind);
  wait_for_data(file.fd);
  return file;
}

}  // namespace bifrons
