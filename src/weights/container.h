// Result of reading the header of a weight file: the position of each tensor, with all sizes
// checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/dtype.h"

namespace bifrons {

struct TensorEntry {
  std::string name;
  std::string stored_type;     // name in the file: "BF16", "HalfStorage"
  std::optional<DType> dtype;  // nullopt: a dtype that no weight has; the tensor is only listed
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements: a permutation of contiguous; empty: contiguous
  int64_t offset = 0;  // bytes from the start of the file; all of the tensor lies in the file
  int64_t bytes = 0;   // elements times element size
};

// A span of the file whose CRC-32 is stored in the file.
struct Checksum {
  std::string name;
  int64_t offset = 0;
  int64_t bytes = 0;
  uint32_t crc32 = 0;
};

struct Container {
  std::vector<TensorEntry> tensors;  // names are unique
  std::vector<Checksum> checksums;
};

// Every dimension, offset and byte count in a file must be below this, so the sum of two cannot
// overflow.
inline constexpr int64_t kSizeLimit = int64_t{1} << 48;
inline constexpr size_t kMaxTensorRank = 8;
inline constexpr int64_t kMaxTensors = 20'000;  // per file

// The product of two numbers in [0, kSizeLimit); nullopt if the product is not in that range.
inline std::optional<int64_t> product_within_limit(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product < 0 || product >= kSizeLimit) {
    return std::nullopt;
  }
  return product;
}

// Number of elements of a shape; nullopt if a dimension or the product is not in [0, kSizeLimit).
inline std::optional<int64_t> element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  // All dimensions are checked first: otherwise a zero would hide an invalid dimension after it.
  for (const int64_t n : shape) {
    if (n < 0 || n >= kSizeLimit) return std::nullopt;
  }
  for (const int64_t n : shape) {
    const auto product = product_within_limit(count, n);
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

}  // namespace bifrons
