// Several pictures in one contact sheet.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vision/pictures/picture.h"

namespace bifrons {

// The pictures, all of one size, row by row in as square a sheet as their count allows, with white
// gaps of so many pixels, thin ones unless said; places left over stay white. At least one picture.
Picture contact_sheet(std::span<const Picture> pictures, std::optional<int64_t> gap = {});

}  // namespace bifrons
