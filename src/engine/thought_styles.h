// The JSON texts of the built-in styles.
#pragma once

#include <span>
#include <string_view>

namespace bifrons {

std::span<const std::string_view> built_in_thought_styles();

}  // namespace bifrons
