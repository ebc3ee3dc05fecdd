// Tensors for tests, with guard bands around them and poison where nothing may be read or written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/reference/reference.h"

namespace bifrons::testing {

using reference::Values;

// n numbers spread evenly over [-1, 1) that the dtype can represent; the same seed gives the same
// numbers.
Values spread(uint32_t seed, int64_t n, DType dtype);

// Converts elements of a dtype to bytes and back, exactly. NaN becomes the poison pattern.
std::vector<std::byte> encode(const Values& values, DType dtype);
Values decode(const std::vector<std::byte>& bytes, DType dtype);

// Owns the bytes of a HostArray [rows, cols].
struct HostValues {
  std::vector<std::byte> bytes;
  HostArray array;
  HostValues(const Values& values, DType dtype, int64_t rows, int64_t cols)
      : bytes(encode(values, dtype)), array{bytes.data(), dtype, rows, cols} {}
  HostValues(const HostValues&) = delete;
  HostValues& operator=(const HostValues&) = delete;
};

class GuardedTensor {
 public:
  // Rows are separated by `gap` poisoned elements. Without values all elements are poison: for an
  // output.
  GuardedTensor(Backend& b, DType dtype, const std::vector<int64_t>& shape,
                const Values& values = {}, int64_t gap = 0);

  const Tensor& tensor() const { return tensor_; }
  // The current values of the tensor.
  Values values() const;
  // Whether the guard bands and the gaps between rows are unchanged.
  bool guards_intact() const;
  // Whether all bytes are unchanged.
  bool untouched() const { return download() == before_; }

 private:
  std::vector<std::byte> download() const;

  Backend* backend_;
  Buffer buffer_;
  Tensor tensor_;
  std::vector<std::byte> before_;
};

}  // namespace bifrons::testing
