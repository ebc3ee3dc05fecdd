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

// One stored tensor, contiguous in memory order of its shape. `data` is a view into a mapped file
// (or into a copy, for permuted strides) and may be unaligned: copy elements out, never cast.
struct StoredTensor {
  std::string name;  // as published in the file
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  int64_t bytes = 0;
};

// Opens `*.safetensors` (single, or sharded with an index) or `pytorch_model*.bin`; safetensors
// wins when both are there. All headers are read and checked here, no weights are.
class Checkpoint {
 public:
  static Checkpoint open(const std::string& directory);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  // Sorted by name.
  std::span<const StoredTensor> tensors() const;
  // nullptr when there is none of that (published) name.
  const StoredTensor* find(std::string_view name) const;
  // Tells the system that the pages of this tensor are not needed any more (keeps loading flat).
  void release(const StoredTensor& tensor) const;
  // Files that were opened, relative to the directory.
  std::vector<std::string> files() const;

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bifrons
