// FNV-1a over names, dtypes, shapes and first bytes.
#include "src/engine/weights_hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "src/engine/weight_format.h"
#include "src/io/fnv1a.h"

namespace bifrons {
namespace {

// FNV-1a over every tensor's name, dtype, shape and first bytes (at most 64): distinguishes
// checkpoints without reading gigabytes.
std::string hash_checkpoint(const Checkpoint& checkpoint) {
  uint64_t hash = kFnv1aStart;
  const auto mix = [&hash](const void* data, size_t n) {
    hash = fnv1a({static_cast<const char*>(data), n}, hash);
  };
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    mix(tensor.name.data(), tensor.name.size());
    mix(&tensor.dtype, sizeof tensor.dtype);
    mix(tensor.shape.data(), tensor.shape.size() * sizeof(int64_t));
    std::array<std::byte, 64> first;
    const auto some = std::span(first).first(std::min<int64_t>(tensor.bytes, first.size()));
    checkpoint.read(tensor, 0, some);
    mix(some.data(), some.size());
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace

std::string weights_hash(const Checkpoint& checkpoint, const Config& config) {
  std::string hash = hash_checkpoint(checkpoint);
  if (config.loaded == config.in_files) return hash;
  hash += name_of(config.loaded);
  return fmt::format("{:016x}", fnv1a(hash));
}

}  // namespace bifrons
