// Checks of weight arrays as they lie in files, and their conversion to f32; used by every backend.
#pragma once

#include <span>
#include <vector>

#include "kernels/weights.h"

namespace bifrons {

// Whether weights may be stored in this type: f32, bf16 or f16.
bool is_stored(DType type);

// Checks the arguments of make_linear(): parts of one stored type and equal columns; no biases, or
// one per part with one element per row of the part. Throws ContractError.
void check_parts(std::span<const HostArray> parts, std::span<const HostArray> bias);

// The same for make_quantised_linear(): parts of one format, whose columns divide into groups.
// Returns the Linear with its format and sizes, without its storage and bias.
Linear checked_linear(std::span<const QuantisedArray> parts, std::span<const HostArray> bias);

// All elements of all arrays in order, converted to f32 exactly.
std::vector<float> widened_values(std::span<const HostArray> parts);

}  // namespace bifrons
