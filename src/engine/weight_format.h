// The formats of weights in the words of the library and of the kernels.
#pragma once

#include <string>
#include <string_view>

#include "kernels/weights.h"
#include "src/bifrons.h"
#include "src/model/config.h"

namespace bifrons {

constexpr LinearFormat linear_format(WeightFormat weights) {
  if (weights == WeightFormat::kInt8) return LinearFormat::kInt8;
  return weights == WeightFormat::kInt4 ? LinearFormat::kInt4 : LinearFormat::kStored;
}

// The format in which the linear layers of a model are loaded when `wanted` is asked for. Throws
// Error (usage) where its files hold another quantised one.
LinearFormat format_to_load(const Config& config, WeightFormat wanted,
                            const std::string& directory);

// The name of a model's weights for reports: of the quantised format, or of the dtype.
constexpr std::string_view weights_name(LinearFormat loaded, DType stored) {
  return loaded == LinearFormat::kStored ? name_of(stored) : name_of(loaded);
}

}  // namespace bifrons
