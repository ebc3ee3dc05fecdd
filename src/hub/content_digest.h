// The checksum of a file, in the kind that its hub lists.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>

#include "src/hub/hub_client.h"
#include "src/io/sha1.h"
#include "src/io/sha256.h"

namespace bifrons::hub {

class ContentDigest {
 public:
  // `bytes`: the size of the whole file, with which the checksum of a git blob begins.
  ContentDigest(DigestKind kind, int64_t bytes);
  void add(std::span<const uint8_t> bytes);
  // In hex digits. No bytes may be added afterwards.
  std::string finish();

 private:
  std::variant<Sha256, Sha1> sum_;
};

// Adds the first `bytes` bytes of an open file. `heed` is called now and then and may throw. False
// if the file cannot be read so far.
bool add_file(ContentDigest& digest, int file, int64_t bytes, const std::function<void()>& heed);

}  // namespace bifrons::hub
