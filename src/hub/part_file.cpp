// Bytes are only ever appended, so a part is the beginning of the file whenever the program ends.
#include "src/hub/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons::hub {
namespace {

// The system begins to write so many bytes at once, so that the last fsync() has little to do.
constexpr int64_t kWriteBack = 16 << 20;

}  // namespace

PartFile::PartFile(std::filesystem::path path, const RemoteFile& file)
    : path_(std::move(path)), file_(file) {
  make_directories(path_.parent_path());
  struct stat status = {};
  const bool there = lstat(path_.c_str(), &status) == 0;
  if (there && (!S_ISREG(status.st_mode) || status.st_nlink != 1)) {
    if (unlink(path_.c_str()) != 0) fail(errno);
  }
  fd_ = UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  if (fd_.get() < 0 || fstat(fd_.get(), &status) != 0) fail(errno);
  begin_checksum();
  bytes_ = status.st_size;
  if (bytes_ > file_.bytes) truncate();
}

void PartFile::fail(int error_number) const {
  const char* advice = error_number == ENOSPC || error_number == EDQUOT
                           ? "; make room, then the same command goes on where it was"
                           : "";
  throw Error(ErrorKind::kCannotWrite, fmt::format("cannot write {}: {}{}", quote(path_.string()),
                                                   reason_of(error_number), advice));
}

void PartFile::begin_checksum() {
  block_ = {};
  checksum_.reset();
  checksum_ = std::make_unique<StreamChecksum>(file_.kind, file_.bytes);
}

void PartFile::hash_again(const std::function<void()>& heed) {
  for (int64_t at = 0; at < bytes_;) {
    if (heed) heed();
    Block block = checksum_->block();
    block.resize(static_cast<size_t>(std::min<int64_t>(bytes_ - at, StreamChecksum::kBlockBytes)));
    const ssize_t n = pread(fd_.get(), block.data(), block.size(), at);
    if (n < 0 && errno != EINTR) fail(errno);
    if (n == 0) fail(EIO);
    block.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
    at += static_cast<int64_t>(block.size());
    checksum_->add(std::move(block));
  }
  if (lseek(fd_.get(), bytes_, SEEK_SET) < 0) fail(errno);
  started_ = bytes_;
}

void PartFile::take(std::span<const uint8_t> bytes) {
  check(static_cast<int64_t>(bytes.size()) <= file_.bytes - bytes_, "hub: a part is a beginning");
  while (!bytes.empty()) {
    if (block_.capacity() == 0) block_ = checksum_->block();
    const size_t n = std::min(bytes.size(), StreamChecksum::kBlockBytes - block_.size());
    block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    bytes_ += static_cast<int64_t>(n);
    bytes = bytes.subspan(n);
    if (block_.size() == StreamChecksum::kBlockBytes) flush();
  }
}

void PartFile::flush() {
  if (block_.empty()) return;
  const int error_number =
      write_all(fd_.get(), {reinterpret_cast<const char*>(block_.data()), block_.size()});
  if (error_number != 0) {  // some of the block may be written; the part ends before it
    bytes_ -= static_cast<int64_t>(block_.size());
    block_.clear();
    if (ftruncate(fd_.get(), bytes_) == 0) lseek(fd_.get(), bytes_, SEEK_SET);
    fail(error_number);
  }
  checksum_->add(std::move(block_));
  block_ = {};
  if (bytes_ - started_ >= kWriteBack) {
    sync_file_range(fd_.get(), started_, bytes_ - started_, SYNC_FILE_RANGE_WRITE);
    started_ = bytes_;
  }
}

void PartFile::truncate() {
  if (ftruncate(fd_.get(), 0) != 0 || lseek(fd_.get(), 0, SEEK_SET) != 0) fail(errno);
  bytes_ = started_ = 0;
  begin_checksum();
}

bool PartFile::is_right() {
  flush();
  return checksum_->finish() == file_.digest;
}

void PartFile::rename_to(const std::filesystem::path& path) {
  if (fsync(fd_.get()) != 0) fail(errno);
  make_directories(path.parent_path());
  refuse_obstacles(path);
  if (rename(path_.c_str(), path.c_str()) != 0) fail(errno);
  sync_directory(path.parent_path().string(), path.string());
}

void PartFile::remove() { unlink(path_.c_str()); }

}  // namespace bifrons::hub
