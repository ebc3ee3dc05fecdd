// With a thread, hashing costs no time of the transfer; blocks are few, so memory is bounded.
#include "src/hub/stream_checksum.h"

#include <fmt/format.h>

#include <system_error>

namespace bifrons::hub {

StreamChecksum::StreamChecksum(DigestKind kind, int64_t bytes) {
  if (kind == DigestKind::kGitBlob) {
    sum_.emplace<Sha1>();
    const std::string head = fmt::format("blob {}", bytes);
    std::get<Sha1>(sum_).add(std::string_view(head.c_str(), head.size() + 1));
  }
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {
  }
}

StreamChecksum::~StreamChecksum() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void StreamChecksum::hash(std::span<const uint8_t> bytes) {
  std::visit([&](auto& sum) { sum.add(bytes); }, sum_);
}

Block StreamChecksum::block() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !free_.empty() || given_ < kBlocks; });
  ++given_;
  Block block;
  if (!free_.empty()) {
    block = std::move(free_.back());
    free_.pop_back();
  }
  lock.unlock();
  block.clear();
  block.reserve(kBlockBytes);
  return block;
}

void StreamChecksum::add(Block block) {
  if (!thread_.joinable()) hash(block);
  {
    const std::lock_guard lock(mutex_);
    if (thread_.joinable()) {
      waiting_.push_back(std::move(block));
    } else {
      free_.push_back(std::move(block));
      --given_;
    }
  }
  changed_.notify_all();
}

void StreamChecksum::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Block block = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    hash(block);
    lock.lock();
    free_.push_back(std::move(block));
    --given_;
    changed_.notify_all();
  }
}

std::string StreamChecksum::finish() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  return std::visit([](auto& sum) { return sum.finish(); }, sum_);
}

}  // namespace bifrons::hub
