// What a reader of one weight file hands over: where each tensor lies, with every size checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/dtype.h"

namespace bifrons {

struct TensorEntry {
  std::string name;
  std::string stored_type;  // as the file calls it: "BF16", "HalfStorage"
  std::optional<DType>
      dtype;  // nullopt: a type no weight of ours has; such a tensor is only listed
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements; empty: contiguous. A permutation of contiguous.
  int64_t offset = 0;  // bytes from the start of the file; [offset, offset + bytes) is in it
  int64_t bytes = 0;   // elements times their size
};

// A span of the file whose CRC-32 is written in it.
struct Checksum {
  std::string name;
  int64_t offset = 0;
  int64_t bytes = 0;
  uint32_t crc32 = 0;
};

struct Container {
  std::vector<TensorEntry> tensors;  // names unique
  std::vector<Checksum> checksums;
};

// No dimension, offset or byte count of a file may reach this, so sums of two cannot overflow.
inline constexpr int64_t kSizeLimit = int64_t{1} << 48;
inline constexpr size_t kMaxTensorRank = 8;
inline constexpr int64_t kMaxTensors = 20'000;  // of one file

// The product of two numbers in [0, kSizeLimit), or nullopt when it is not in that range.
inline std::optional<int64_t> product_within_limit(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product < 0 || product >= kSizeLimit) {
    return std::nullopt;
  }
  return product;
}

// Elements of a shape; nullopt when a dimension or the product is not in [0, kSizeLimit).
inline std::optional<int64_t> element_count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  // Dimensions first: a zero anywhere would hide an absurd one behind it.
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
