// Copies a tensor with permuted strides into contiguous order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bifrons {

// `raw`: all elements of the tensor in memory order, `element_bytes` each. `strides` in elements,
// one per dimension of `shape`; they are a permutation of contiguous strides. Returns the same
// number of bytes, with the last dimension contiguous.
std::vector<std::byte> to_contiguous(std::span<const std::byte> raw,
                                     const std::vector<int64_t>& shape,
                                     const std::vector<int64_t>& strides, int64_t element_bytes);

}  // namespace bifrons
