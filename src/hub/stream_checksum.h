// The checksum of a file while it arrives, computed on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "src/hub/hub_client.h"
#include "src/io/sha1.h"
#include "src/io/sha256.h"

namespace bifrons::hub {

using Block = std::vector<uint8_t>;

class StreamChecksum {
 public:
  // `bytes`: size of the whole file, which a git blob's checksum begins with.
  StreamChecksum(DigestKind kind, int64_t bytes);
  StreamChecksum(const StreamChecksum&) = delete;
  StreamChecksum& operator=(const StreamChecksum&) = delete;
  ~StreamChecksum();

  // An empty block of kBlockBytes capacity. Waits while all blocks are being hashed.
  Block block();
  // Hashes a block and keeps its memory for block().
  void add(Block block);
  // Waits for all blocks. Returns the digest in hex. Nothing may be added afterwards.
  std::string finish();

  static constexpr size_t kBlockBytes = 256 << 10;

 private:
  void hash(std::span<const uint8_t> bytes);
  void work();

  static constexpr size_t kBlocks = 5;
  std::variant<Sha256, Sha1> sum_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> waiting_;
  std::vector<Block> free_;
  size_t given_ = 0;  // blocks with the caller or being hashed
  bool closed_ = false;
  std::thread thread_;  // none if the system gives none: then add() hashes
};

}  // namespace bifrons::hub
