// An open directory and the regular files in it.
#include "src/io/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "kernels/error.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

std::string system_message(int code) {
  std::string message = std::strerror(code);
  if (!message.empty()) message[0] = static_cast<char>(std::tolower(message[0]));
  return message;
}

FileIdentity identity_of(const struct stat& status) {
  return {static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino),
          static_cast<int64_t>(status.st_size),
          static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

// Describes a symbolic link whose target does not exist. Returns nullopt for other entries.
std::optional<std::string> dangling_link(int directory, const std::string& name) {
  std::array<char, 4096> target;
  const ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (length <= 0) return std::nullopt;
  const std::string path(target.data(), static_cast<size_t>(length));
  struct stat status {};
  const bool begun = ::fstatat(directory, (path + ".incomplete").c_str(), &status, 0) == 0;
  return fmt::format("is a link to {}, {}; download it again", quote(path),
                     begun ? "whose download is not finished" : "which is not there");
}

}  // namespace

void refuse(std::string_view file, std::string_view reason) {
  throw Error(ErrorKind::kData, fmt::format("{}: {}", file, reason));
}

void File::read(int64_t offset, std::span<std::byte> destination) const {
  while (!destination.empty()) {
    const ssize_t n = ::pread(fd_.get(), destination.data(), destination.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) refuse(name_, "reading failed: " + system_message(errno));
    if (n == 0) refuse(name_, "ends early; it was shortened while being read");
    offset += n;
    destination = destination.subspan(static_cast<size_t>(n));
  }
}

void File::verify_unchanged() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) refuse(name_, system_message(errno));
  if (identity_of(status) != identity_) {
    refuse(name_, "changed while it was being read; wait for the writer to finish and try again");
  }
}

Directory Directory::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0 && path.find('\0') == std::string::npos) return {std::move(fd), path};
  const std::string reason = path.empty()       ? "no directory was named"
                             : errno == ENOENT  ? "no such directory"
                             : errno == ENOTDIR ? "is not a directory"
                                                : system_message(errno);
  throw Error(ErrorKind::kMissing, fmt::format("{}: {}", quote(path), reason));
}

std::vector<std::string> Directory::names() const {
  // A second open file description: this listing has its own read position.
  const int copy = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(copy < 0 ? nullptr : ::fdopendir(copy),
                                                    ::closedir);
  if (!listing) {
    const int code = errno;
    if (copy >= 0) ::close(copy);
    throw Error(ErrorKind::kMissing, fmt::format("{}: {}", quote(path_), system_message(code)));
  }
  std::vector<std::string> found;
  errno = 0;  // readdir() tells an error from the end by it alone
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") found.emplace_back(name);
    errno = 0;
  }
  if (const int code = errno; code != 0) {
    throw Error(ErrorKind::kMissing,
                fmt::format("{}: cannot be listed: {}", quote(path_), system_message(code)));
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool Directory::contains(std::string_view name) const {
  struct stat status {};
  return ::fstatat(fd_.get(), std::string(name).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

File Directory::open_file(const std::string& name) const {
  check(!name.empty() && name.find_first_of(std::string_view("/\0", 2)) == std::string::npos,
        "directory: the name of a file has no slash");
  // O_NONBLOCK: without it, opening a pipe that has no writer would wait. It has no effect on the
  // regular files that are accepted below.
  UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) {
    const int code = errno;
    const bool odd = code == ENXIO;  // socket, or device without a driver
    const std::string reason = odd ? "not a regular file"
                               : code != ENOENT
                                   ? system_message(code)
                                   : dangling_link(fd_.get(), name).value_or("no such file");
    throw Error(odd ? ErrorKind::kData : ErrorKind::kMissing,
                fmt::format("{}: {}", shown(name), reason));
  }
  if (!S_ISREG(status.st_mode)) {
    refuse(shown(name), fmt::format("is {}, not a regular file", kind_of_file(status.st_mode)));
  }
  if (status.st_size == 0) refuse(shown(name), "empty file (0 bytes); download it again");
  return {std::move(fd), shown(name), identity_of(status)};
}

std::string Directory::read_file(const std::string& name, int64_t max_bytes) const {
  const File file = open_file(name);
  if (file.size() > max_bytes) {
    refuse(file.name(), fmt::format("{} bytes; at most {} are read", file.size(), max_bytes));
  }
  return file.read_text(0, file.size());
}

std::string Directory::shown(std::string_view name) const {
  return quote(fmt::format("{}{}{}", path_, path_.ends_with('/') ? "" : "/", name));
}

}  // namespace bifrons
