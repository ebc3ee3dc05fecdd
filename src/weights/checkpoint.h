// The tensors of a model directory, independent of container format and naming scheme.
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

// A stored tensor, contiguous in the order of its shape. A matrix that MLX has packed
// (src/weights/mlx.h) is listed as what it stands for, in the type of its scales, and dequantised
// when it is read; its scales and biases are not listed. Checkpoint::read() reads its elements.
struct StoredTensor {
  std::string name;  // the published name in the file
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

// A stored tensor of a dtype that no full weight of the model has (I64, BoolStorage, ...). Only the
// integers of quantised weights are read.
struct SkippedTensor {
  std::string name;
  std::string stored_type;  // name in the file
  std::vector<int64_t> shape;
  int64_t bytes = 0;  // 0 if its strides are permuted: it cannot be read
};

// Opens `*.safetensors` (a single file, or sharded with an index) or `pytorch_model*.bin`. If both
// formats exist, safetensors is used, even if its files are empty or damaged: there is no silent
// fallback. Within a format, the first that exists is used:
// - model.safetensors; model.safetensors.index.json; a single other file, or all shards of one set
//   (x-00001-of-00002.safetensors)
// - pytorch_model.bin; pytorch_model.bin.index.json; a single pytorch_model*.bin, or all shards of
//   one set
//
// All headers are read and checked here, and "quantization" of config.json. No weights are read,
// except for tensors with permuted strides.
class Checkpoint {
 public:
  // Throws Error (missing: no such directory, or it has no weights; data: file, tensor and reason).
  static Checkpoint open(const std::string& directory);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  // Sorted by name.
  std::span<const StoredTensor> tensors() const;
  // nullptr if no tensor has this (published) name.
  const StoredTensor* find(std::string_view name) const;
  // The tensors that tensors() leaves out, sorted by name.
  std::span<const SkippedTensor> skipped() const;
  // nullptr if no tensor of skipped() has this (published) name.
  const SkippedTensor* find_skipped(std::string_view name) const;
  // Copies bytes [offset, offset + destination.size()) of a tensor of tensors(). Files are read,
  // not memory-mapped: if a file is truncated or damaged meanwhile, the result is an Error (data).
  // With a mapping it would be a SIGBUS.
  void read(const StoredTensor& tensor, int64_t offset, std::span<std::byte> destination) const;
  // The same for a tensor of skipped(), in the types of the file.
  void read(const SkippedTensor& tensor, int64_t offset, std::span<std::byte> destination) const;
  // Throws Error (data) if a file changed since it was opened. Call it after loading.
  void verify_unchanged() const;
  // Reads all files on `threads` threads and compares the checksums stored in them. Returns the
  // number of checksums (none in safetensors). Throws Error (data) with the span that differs.
  int64_t verify_checksums(int threads = 1) const;
  // "MLX 4-bit" where matrices are packed; otherwise empty.
  const std::string& quantisation() const;
  // As open() was given it.
  const std::string& directory() const;
  // The opened files, relative to the directory.
  std::vector<std::string> files() const;

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bifrons
