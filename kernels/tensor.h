// A view, passed by value, on memory that it does not own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "kernels/dtype.h"
#include "kernels/error.h"

namespace bifrons {

enum class MemorySpace : uint8_t { kHost, kDevice };

// Up to four dimensions; the last one is contiguous. The leading dimensions together form rows(),
// which are `pitch` elements apart, so any block of columns of a matrix is also a Tensor.
struct Tensor {
  void* data = nullptr;
  std::array<int64_t, 4> shape{0, 1, 1, 1};  // unused trailing dimensions are 1
  int rank = 0;
  int64_t pitch = 0;  // elements from one row to the next
  DType dtype = DType::kF32;
  MemorySpace space = MemorySpace::kHost;

  Tensor() = default;
  Tensor(void* data_, DType dtype_, std::initializer_list<int64_t> shape_,
         MemorySpace space_ = MemorySpace::kHost)
      : data(data_), rank(static_cast<int>(shape_.size())), dtype(dtype_), space(space_) {
    check(rank >= 1 && rank <= 4, "tensor: rank is 1 to 4");
    int i = 0;
    for (int64_t n : shape_) {
      check(n >= 0, "tensor: negative dimension");
      shape[i++] = n;
    }
    pitch = cols();
  }

  int64_t cols() const { return rank == 0 ? 0 : shape[rank - 1]; }
  int64_t rows() const {
    int64_t n = rank == 0 ? 0 : 1;
    for (int i = 0; i + 1 < rank; ++i) n *= shape[i];
    return n;
  }
  int64_t count() const { return rows() * cols(); }
  int64_t bytes() const { return count() * size_of(dtype); }
  bool contiguous() const { return pitch == cols() || rows() <= 1; }
  bool same_shape(const Tensor& other) const { return rank == other.rank && shape == other.shape; }

  std::byte* row(int64_t r) const {
    return static_cast<std::byte*>(data) + r * pitch * size_of(dtype);
  }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }

  // Entries [0, n) along the first dimension: elements of a vector, rows of a matrix.
  Tensor first(int64_t n) const {
    check((rank == 1 || rank == 2) && n >= 0 && n <= shape[0], "tensor: first out of range");
    Tensor t = *this;
    t.shape[0] = n;
    if (rank == 1) t.pitch = n;
    return t;
  }
  // Rows [begin, begin + n) as a matrix.
  Tensor slice_rows(int64_t begin, int64_t n) const {
    check(begin >= 0 && n >= 0 && begin + n <= rows(), "tensor: slice_rows out of range");
    Tensor t(row(begin), dtype, {n, cols()}, space);
    t.pitch = pitch;
    return t;
  }
  // Columns [begin, begin + n) of every row, as a matrix.
  Tensor slice_cols(int64_t begin, int64_t n) const {
    check(begin >= 0 && n >= 0 && begin + n <= cols(), "tensor: slice_cols out of range");
    Tensor t(static_cast<std::byte*>(data) + begin * size_of(dtype), dtype, {rows(), n}, space);
    t.pitch = pitch;
    return t;
  }
  // The same elements in another shape; needs contiguous memory.
  Tensor reshape(std::initializer_list<int64_t> shape_) const {
    check(contiguous(), "tensor: reshape of a strided view");
    Tensor t(data, dtype, shape_, space);
    check(t.count() == count(), "tensor: reshape changes the number of elements");
    return t;
  }
};

}  // namespace bifrons
