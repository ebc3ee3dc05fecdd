// Several pictures in one contact sheet.
#pragma once

#include <span>

#include "vision/picture.h"

namespace bifrons {

// The pictures, all of one size, row by row in as square a sheet as their count allows, with thin
// white gaps; places left over stay white. At least one picture.
Picture contact_sheet(std::span<const Picture> pictures);

}  // namespace bifrons
