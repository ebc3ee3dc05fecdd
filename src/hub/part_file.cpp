// Bytes are only ever appended, so a part is the beginning of the file whenever the program ends.
#include "src/hub/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons::hub {

PartFile::PartFile(std::filesystem::path path, const RemoteFile& file)
    : path_(std::move(path)), file_(file) {
  make_directories(path_.parent_path());
  struct stat status = {};
  const bool there = lstat(path_.c_str(), &status) == 0;
  if (there && (!S_ISREG(status.st_mode) || status.st_nlink != 1)) {
    if (unlink(path_.c_str()) != 0) fail(errno);
  }
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  fd_ = UniqueFd(open(path_.c_str(), kFlags, 0666));
  if (fd_.get() < 0 || fstat(fd_.get(), &status) != 0) fail(errno);
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

void PartFile::begin(const ContentDigest& digest) {
  before_ = bytes_;
  writer_ = std::make_unique<BlockWriter>(fd_.get(), digest);
}

void PartFile::hash_again(const std::function<void()>& heed) {
  ContentDigest digest(file_.kind, file_.bytes);
  if (!add_file(digest, fd_.get(), bytes_, heed)) fail(EIO);
  begin(digest);
}

// After a failed write some of a block may be in the file; the part ends before it.
void PartFile::heed_error(int error_number) {
  if (error_number == 0) return;
  bytes_ = before_ + writer_->written();
  writer_.reset();
  if (ftruncate(fd_.get(), bytes_) != 0) remove();
  fail(error_number);
}

void PartFile::take(std::span<const uint8_t> bytes) {
  check(static_cast<int64_t>(bytes.size()) <= file_.bytes - bytes_, "hub: a part is a beginning");
  bytes_ += static_cast<int64_t>(bytes.size());
  heed_error(writer_->take(bytes));
}

void PartFile::flush() {
  if (writer_) heed_error(writer_->flush());
}

void PartFile::truncate() {
  writer_.reset();
  if (ftruncate(fd_.get(), 0) != 0) fail(errno);
  bytes_ = 0;
  begin(ContentDigest(file_.kind, file_.bytes));
}

bool PartFile::is_right() {
  flush();
  return writer_->finish() == file_.digest;
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
