// Search for numbers that are not finite in stored tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "kernels/dtype.h"

namespace bifrons {

// Index of the first element that is infinite or no number; nullopt if there is none. `bytes` holds
// whole elements of a floating-point dtype, little-endian.
std::optional<int64_t> first_not_finite(DType dtype, std::span<const std::byte> bytes);

}  // namespace bifrons
