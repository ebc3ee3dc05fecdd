// What every backend asks of weights as they lie in files, and how it widens the small ones.
#pragma once

#include <span>
#include <vector>

#include "kernels/weights.h"

namespace bifrons {

// Whether weights come in this type: f32, bf16 or f16.
bool is_stored(DType type);

// What make_linear() demands: parts of one stored type and equal columns; no biases, or one per
// part and as long as its part has rows. Throws ContractError.
void check_parts(std::span<const HostArray> parts, std::span<const HostArray> bias);

// All elements, one array after another, exactly as f32.
std::vector<float> widened_values(std::span<const HostArray> parts);

}  // namespace bifrons
