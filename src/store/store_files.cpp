// The result of every call is checked. The callers choose the order of calls.
#include "src/store/store_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "kernels/error.h"
#include "src/io/descriptor.h"
#include "src/io/quote.h"

namespace bifrons {

namespace fs = std::filesystem;

void fail_to_write(const std::string& path, const std::string& why) {
  throw Error(ErrorKind::kCannotWrite, "cannot write " + quote(path) + ": " + why);
}

void fail_to_write(const std::string& path, int error_number) {
  fail_to_write(path, reason_of(error_number));
}

UniqueFd open_own(const std::string& path, int flags) {
  RegularFile opened = open_regular(path, flags | O_NOFOLLOW);
  if (!opened.problem.empty()) fail_to_write(path, opened.problem);
  return std::move(opened.file);
}

std::optional<std::string> content_of(const std::string& path, int64_t most) {
  const RegularFile opened = open_regular(path, O_RDONLY);
  if (!opened.problem.empty() || opened.bytes > most) return std::nullopt;
  std::string content;
  std::string block(size_t{1} << 16, '\0');
  while (true) {
    const ssize_t got = ::read(opened.file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return content;
    content.append(block, 0, static_cast<size_t>(got));
    if (static_cast<int64_t>(content.size()) > most) return std::nullopt;  // the file grows
  }
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  const int code = error.value();
  if (!error || code == ENOENT || code == ENOTDIR || code == EACCES) return names;
  throw Error(ErrorKind::kMissing, quote(directory) + " cannot be listed: " + reason_of(code));
}

std::optional<struct stat> status_of(const std::string& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

bool same_file(const std::optional<struct stat>& a, const std::optional<struct stat>& b) {
  return a && b && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

bool stays_inside(const std::string& directory, const std::string& name) {
  for (size_t slash = name.find('/'); slash != std::string::npos;
       slash = name.find('/', slash + 1)) {
    const auto status = status_of(directory + "/" + name.substr(0, slash));
    if (!status) return true;
    if (!S_ISDIR(status->st_mode)) return false;
  }
  return true;
}

}  // namespace bifrons
