// A table of pictures with captions above its columns and beside its rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vision/pictures/picture.h"
#include "vision/pictures/typesetter.h"

namespace bifrons {

struct GridCaptions {
  std::string title;                 // above everything, in as many lines as it takes
  std::vector<std::string> columns;  // one a column
  std::vector<std::string> rows;     // one a row; empty: no captions there
};

struct SheetSize {
  int64_t width = 0, height = 0;
};

// How large captioned_grid() makes `count` pictures of width x height.
SheetSize captioned_size(int64_t count, int64_t width, int64_t height, const GridCaptions& captions,
                         const Typesetter& typesetter);

// `pictures` row by row, all of one size, columns.size() in each row.
Picture captioned_grid(std::span<const Picture> pictures, const GridCaptions& captions,
                       const Typesetter& typesetter);

}  // namespace bifrons
