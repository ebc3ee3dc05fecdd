// Contact sheet of several pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vision/pictures/picture.h"

namespace bifrons {

// Places the pictures (at least one, all of one size) in row-major order on a sheet that is as
// square as possible. White gaps of `gap` pixels separate them; by default gaps are thin. Unused
// cells are white.
Picture contact_sheet(std::span<const Picture> pictures, std::optional<int64_t> gap = {});

}  // namespace bifrons
