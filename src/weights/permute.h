// Brings the elements of a tensor with permuted strides into the order of its shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bifrons {

// `raw`: all elements of the tensor, of `element_bytes` each, in the order they lie in memory;
// `strides` in elements, one of each dimension of `shape`, a permutation of contiguous ones.
// Returns as many bytes, the last dimension contiguous.
std::vector<std::byte> to_contiguous(std::span<const std::byte> raw,
                                     const std::vector<int64_t>& shape,
                                     const std::vector<int64_t>& strides, int64_t element_bytes);

}  // namespace bifrons
