// A table of pictures with captions above its columns and beside its rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "vision/picture.h"
#include "vision/typesetter.h"

namespace bifrons {

struct GridCaptions {
  std::string title;                 // above everything, in as many lines as it takes
  std::vector<std::string> columns;  // one a column
  std::vector<std::string> rows;     // one a row; empty: no captions there
};

// `pictures` row by row, all of one size, columns.size() in each row.
Picture captioned_grid(std::span<const Picture> pictures, const GridCaptions& captions,
                       const Typesetter& typesetter);

}  // namespace bifrons
