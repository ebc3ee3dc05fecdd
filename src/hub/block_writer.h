// Writes bytes to a file and computes their checksum, on two threads that share the work.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "src/hub/content_digest.h"

namespace bifrons::hub {

// The caller's thread fills blocks. A thread of its own hashes them, and writes them when it has
// nothing to hash; the caller's thread writes when no block is free. So two cores are busy
// whichever is slower, and the blocks are the only memory. Blocks are written in order.
class BlockWriter {
 public:
  // `file`: a descriptor that appends. `digest`: has the bytes that are in the file already.
  BlockWriter(int file, const ContentDigest& digest);
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;
  // What was not flushed is lost.
  ~BlockWriter();

  // Both return the number of the first error of a write so far, or 0.
  int take(std::span<const uint8_t> bytes);
  int flush();
  // Bytes that are in the file by this object.
  int64_t written() const;
  // After flush(): the digest in hex digits. Nothing may be taken afterwards.
  std::string finish();

 private:
  using Block = std::vector<uint8_t>;
  using Lock = std::unique_lock<std::mutex>;
  static constexpr size_t kBlockBytes = 128 << 10;  // some of them stay in the cache of a core
  static constexpr int64_t kBlocks = 8;

  Block& slot(int64_t number) { return blocks_[static_cast<size_t>(number % kBlocks)]; }
  bool can_write() const { return written_ < filled_ && !writing_ && error_ == 0; }
  void write_one(Lock& lock);
  void hash_one(Lock& lock);
  void begin_write_back(Lock& lock);
  void hand_over(Lock& lock);
  void end_thread();
  void work();

  const int file_;
  ContentDigest digest_;
  std::array<Block, kBlocks> blocks_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Numbers of blocks since the start. A slot is free when its block is both hashed and written.
  int64_t filled_ = 0, hashed_ = 0, written_ = 0;
  bool writing_ = false;  // one of the threads writes block number written_
  int64_t bytes_written_ = 0, bytes_written_back_ = 0;
  int error_ = 0;
  bool closed_ = false, cancelled_ = false;
  std::thread thread_;  // none if the system gives none: then the caller's thread does it all
};

}  // namespace bifrons::hub
