// Calls interrupted by a signal (EINTR) are repeated. All other errors go to the caller.
#include "src/io/descriptor.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace bifrons {

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

std::string reason_of(int error_number) {
  return std::system_category().default_error_condition(error_number).message();
}

int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

}  // namespace bifrons
