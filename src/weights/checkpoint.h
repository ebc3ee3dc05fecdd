// The tensors of a model directory, whatever container and naming scheme they come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dtype.h"

namespace bifrons {

// One stored tensor, contiguous in memory order of its shape; Checkpoint::read() has its elements.
struct StoredTensor {
  std::string name;  // as published in the file
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

// A stored tensor of a type that no weight of ours has (I64, BoolStorage, ...): listed, never read.
struct SkippedTensor {
  std::string name;
  std::string stored_type;  // as the file calls it
  std::vector<int64_t> shape;
};

// Opens `*.safetensors` (single, or sharded with an index) or `pytorch_model*.bin`; safetensors
// wins when both are there, even when it is empty or damaged: nothing is chosen silently. Within
// one format the first of these is taken: model.safetensors, model.safetensors.index.json, a single
// other file or all parts of one set (x-00001-of-00002.safetensors); pytorch_model.bin,
// pytorch_model.bin.index.json, a single pytorch_model*.bin or all parts of one set. All headers
// are read and checked here, no weights are, but for tensors with permuted strides.
class Checkpoint {
 public:
  // Throws Error (missing: no such directory, or no weights in it; data: file, tensor and reason).
  static Checkpoint open(const std::string& directory);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  // Sorted by name.
  std::span<const StoredTensor> tensors() const;
  // nullptr when there is none of that (published) name.
  const StoredTensor* find(std::string_view name) const;
  // Those left out of tensors(), sorted by name.
  std::span<const SkippedTensor> skipped() const;
  // Copies bytes [offset, offset + destination.size()) of a tensor of tensors(). Nothing is mapped:
  // a file that is shortened or breaks meanwhile is an Error (data), where touching a mapped page
  // of it would be a SIGBUS.
  void read(const StoredTensor& tensor, int64_t offset, std::span<std::byte> destination) const;
  // Throws Error (data) when a file is not what it was at opening; call it after loading.
  void verify_unchanged() const;
  // Reads whole files and compares the checksums written in them, on `threads` threads; returns how
  // many there were (none in safetensors). Throws Error (data) naming a span that differs.
  int64_t verify_checksums(int threads = 1) const;
  // As open() was given it.
  const std::string& directory() const;
  // Files that were opened, relative to the directory.
  std::vector<std::string> files() const;

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bifrons
