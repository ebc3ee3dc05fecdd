// Either thread holds the mutex only to choose its next block, never while it hashes or writes.
#include "src/hub/block_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <system_error>

#include "src/io/descriptor.h"

namespace bifrons::hub {
namespace {

// The system begins to write so many bytes to the disk at once, so that the last fsync() has little
// to do.
constexpr int64_t kWriteBack = 16 << 20;

}  // namespace

BlockWriter::BlockWriter(int file, const ContentDigest& digest) : file_(file), digest_(digest) {
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {
  }
}

BlockWriter::~BlockWriter() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  end_thread();
}

void BlockWriter::end_thread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BlockWriter::write_one(Lock& lock) {
  writing_ = true;
  const Block& block = slot(written_);
  lock.unlock();
  const int error_number =
      write_all(file_, {reinterpret_cast<const char*>(block.data()), block.size()});
  lock.lock();
  writing_ = false;
  if (error_number != 0) {
    error_ = error_number;
  } else {
    ++written_;
    bytes_written_ += static_cast<int64_t>(block.size());
  }
  changed_.notify_all();
}

void BlockWriter::hash_one(Lock& lock) {
  const Block& block = slot(hashed_);
  lock.unlock();
  digest_.add(block);
  lock.lock();
  ++hashed_;
  changed_.notify_all();
}

void BlockWriter::begin_write_back(Lock& lock) {
  const int64_t from = bytes_written_back_, to = bytes_written_;
  if (to - from < kWriteBack) return;
  bytes_written_back_ = to;
  lock.unlock();
  sync_file_range(file_, from, to - from, SYNC_FILE_RANGE_WRITE);
  lock.lock();
}

void BlockWriter::work() {
  Lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closed_ || hashed_ < filled_ || can_write(); });
    if (cancelled_) return;
    if (hashed_ < filled_) {
      hash_one(lock);
    } else if (can_write()) {
      write_one(lock);
    } else if (closed_) {
      return;
    }
    begin_write_back(lock);
  }
}

// Makes the block that is being filled a full one, and the next slot free.
void BlockWriter::hand_over(Lock& lock) {
  ++filled_;
  changed_.notify_all();
  while (error_ == 0 && filled_ - std::min(hashed_, written_) >= kBlocks) {
    if (can_write()) {
      write_one(lock);
    } else if (!thread_.joinable()) {
      hash_one(lock);
    } else {
      changed_.wait(lock);
    }
  }
  if (error_ == 0) slot(filled_).clear();  // after an error it may not be free
}

int BlockWriter::take(std::span<const uint8_t> bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (error_ != 0) return error_;
  }
  while (!bytes.empty()) {
    Block& block = slot(filled_);  // no other thread changes it or its number
    block.reserve(kBlockBytes);
    const size_t n = std::min(bytes.size(), kBlockBytes - block.size());
    block.insert(block.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    if (block.size() < kBlockBytes) continue;
    Lock lock(mutex_);
    hand_over(lock);
    if (error_ != 0) return error_;
  }
  return 0;
}

int BlockWriter::flush() {
  Lock lock(mutex_);
  if (error_ == 0 && !slot(filled_).empty()) hand_over(lock);
  while (error_ == 0 && written_ < filled_) {
    if (can_write()) {
      write_one(lock);
    } else {
      changed_.wait(lock);
    }
  }
  while (!thread_.joinable() && hashed_ < filled_) hash_one(lock);
  return error_;
}

int64_t BlockWriter::written() const {
  const std::lock_guard lock(mutex_);
  return bytes_written_;
}

std::string BlockWriter::finish() {
  end_thread();
  return digest_.finish();
}

}  // namespace bifrons::hub
