// A grid of pictures with captions above the columns and to the left of the rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vision/pictures/picture.h"
#include "vision/pictures/typesetter.h"

namespace bifrons {

struct GridCaptions {
  std::string title;                 // above the grid, in as many lines as needed
  std::vector<std::string> columns;  // one per column
  std::vector<std::string> rows;     // one per row; empty: no row captions
};

struct SheetSize {
  int64_t width = 0, height = 0;
};

// Size of the sheet that captioned_grid() makes from `count` pictures of width x height.
SheetSize captioned_size(int64_t count, int64_t width, int64_t height, const GridCaptions& captions,
                         const Typesetter& typesetter);

// `pictures` in row-major order, all of one size; each row has columns.size() pictures.
Picture captioned_grid(std::span<const Picture> pictures, const GridCaptions& captions,
                       const Typesetter& typesetter);

}  // namespace bifrons
