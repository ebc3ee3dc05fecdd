// Arena allocator: tensors laid out one after another in one buffer.
#pragma once

#include <initializer_list>
#include <utility>

#include "kernels/buffer.h"

namespace bifrons {

// Without a buffer it only counts bytes. So one function that takes tensors from an arena gives
// both the size of the buffer and the tensors in it.
class Arena {
 public:
  Arena() = default;
  // `buffer` is borrowed.
  explicit Arena(const Buffer& buffer) : buffer_(&buffer) {}

  // The next tensor, 64-byte aligned within the buffer. Without a buffer the tensor has no memory.
  Tensor take(DType dtype, std::initializer_list<int64_t> shape) {
    constexpr int64_t kAlignment = 64;
    const Tensor unplaced(nullptr, dtype, shape);
    const int64_t begin = bytes_;
    bytes_ += (unplaced.bytes() + kAlignment - 1) / kAlignment * kAlignment;
    return buffer_ ? buffer_->view(dtype, shape, begin) : unplaced;
  }
  // Bytes of all tensors taken so far.
  int64_t bytes() const { return bytes_; }

 private:
  const Buffer* buffer_ = nullptr;
  int64_t bytes_ = 0;
};

// Bytes of what `lay_out(Arena&)` takes.
template <typename LayOut>
int64_t arena_bytes(const LayOut& lay_out) {
  Arena counted;
  lay_out(counted);
  return counted.bytes();
}

}  // namespace bifrons
