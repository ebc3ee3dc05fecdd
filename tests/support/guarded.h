// Tensors for tests, with guard bands around them and poison in what must not be read or written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/reference/reference.h"

namespace bifrons::testing {

using reference::Values;

// n numbers evenly spread over [-1, 1) that a dtype can hold; the same for the same seed.
Values spread(uint32_t seed, int64_t n, DType dtype);

// Elements of a dtype as bytes, exactly, and back. NaN becomes the poison pattern.
std::vector<std::byte> encode(const Values& values, DType dtype);
Values decode(const std::vector<std::byte>& bytes, DType dtype);

// Bytes kept alive for a HostArray [rows, cols].
struct HostValues {
  std::vector<std::byte> bytes;
  HostArray array;
  HostValues(const Values& values, DType dtype, int64_t rows, int64_t cols)
      : bytes(encode(values, dtype)), array{bytes.data(), dtype, rows, cols} {}
  HostValues(const HostValues&) = delete;
  HostValues& operator=(const HostValues&) = delete;
};

class Guarded {
 public:
  // Rows lie `gap` poisoned elements apart. Without values everything is poison: an output.
  Guarded(Backend& b, DType dtype, const std::vector<int64_t>& shape, const Values& values = {},
          int64_t gap = 0);

  const Tensor& tensor() const { return tensor_; }
  // What the tensor holds now.
  Values values() const;
  // Whether the guard bands and the gaps between rows are as they were.
  bool guards_hold() const;
  // Whether nothing at all changed.
  bool untouched() const { return download() == before_; }

 private:
  std::vector<std::byte> download() const;

  Backend* backend_;
  Buffer buffer_;
  Tensor tensor_;
  std::vector<std::byte> before_;
};

}  // namespace bifrons::testing
