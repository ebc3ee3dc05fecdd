// Creates files in a hidden directory and renames it.
#include "src/io/new_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "kernels/error.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

[[noreturn]] void fail(const std::string& path, int error_number) {
  throw Error(ErrorKind::kCannotWrite,
              fmt::format("cannot write {}: {}", quote(path), reason_of(error_number)));
}

bool holds_nothing(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_empty(path, error) && !error;
}

}  // namespace

void NewFile::write(std::string_view bytes) {
  if (const int error = write_all(fd_.get(), bytes); error != 0) fail(shown_, error);
  size_ += static_cast<int64_t>(bytes.size());
}

void NewFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void NewFile::skip(int64_t bytes) {
  size_ += bytes;
  if (lseek(fd_.get(), size_, SEEK_SET) < 0) fail(shown_, errno);
}

void NewFile::write_at(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd_.get(), bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(shown_, n < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += n;
  }
}

void NewFile::finish() {
  if (fsync(fd_.get()) != 0) fail(shown_, errno);
}

NewDirectory::NewDirectory(const std::string& path) : path_(without_slashes(path)) {
  if (path_.empty() || path_.filename() == "." || path_.filename() == "..") {
    throw Error(ErrorKind::kUsage, fmt::format("{}: name a new directory", quote(path)));
  }
  if (const int obstacle = obstacle_at(path_); obstacle != 0) fail(path, obstacle);
  if (path_exists(path_) && !(directory_exists(path_) && holds_nothing(path_))) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: {}; name a new directory", quote(path),
                            directory_exists(path_) ? "is not empty" : "is not a directory"));
  }
  part_ = path_.parent_path() / ("." + path_.filename().string() + ".bifrons-part");
  if (mkdir(part_.c_str(), 0777) != 0 && errno != EEXIST) fail(path, errno);
  lock_ = UniqueFd(open(part_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (lock_.get() < 0) fail(path, errno);
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(ErrorKind::kCannotWrite,
                fmt::format("cannot write {}: another process is writing it", quote(path)));
  }
  std::error_code ignored;
  for (const auto& left : std::filesystem::directory_iterator(part_, ignored)) {
    std::filesystem::remove_all(left.path(), ignored);
  }
}

NewDirectory::~NewDirectory() {
  if (!published_) remove_part();
}

void NewDirectory::remove_part() const {
  std::error_code ignored;
  std::filesystem::remove_all(part_, ignored);
}

NewFile NewDirectory::create(const std::string& name) {
  UniqueFd file(openat(lock_.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (file.get() < 0) fail(path_.string(), errno);
  return NewFile(std::move(file), path_.string());
}

void NewDirectory::publish() {
  if (fsync(lock_.get()) != 0) fail(path_.string(), errno);
  // An empty directory at the new name is replaced.
  if (rename(part_.c_str(), path_.c_str()) != 0) fail(path_.string(), errno);
  published_ = true;
  sync_directory(path_.has_parent_path() ? path_.parent_path().string() : ".", path_.string());
}

}  // namespace bifrons
