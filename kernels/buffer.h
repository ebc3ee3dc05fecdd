// Owned memory of a backend. Tensors are views on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/tensor.h"

namespace bifrons {

// Move-only. The backend that allocated the buffer supplies the function that frees it; the backend
// must outlive the buffer.
class Buffer {
 public:
  using Free = void (*)(void* owner, void* data, int64_t bytes);

  Buffer() = default;
  Buffer(void* data, int64_t bytes, MemorySpace space, Free free, void* owner)
      : data_(data), bytes_(bytes), space_(space), free_(free), owner_(owner) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data_) free_(owner_, data_, bytes_);
  }

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  MemorySpace memory_space() const { return space_; }

  // A contiguous view on the bytes from `offset` on.
  Tensor view(DType dtype, std::initializer_list<int64_t> shape, int64_t offset = 0) const {
    Tensor t(static_cast<std::byte*>(data_) + offset, dtype, shape, space_);
    check(offset >= 0 && offset + t.bytes() <= bytes_, "buffer: view past the end");
    return t;
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(space_, other.space_);
    std::swap(free_, other.free_);
    std::swap(owner_, other.owner_);
  }

  void* data_ = nullptr;
  int64_t bytes_ = 0;
  MemorySpace space_ = MemorySpace::kHost;
  Free free_ = nullptr;
  void* owner_ = nullptr;
};

}  // namespace bifrons
