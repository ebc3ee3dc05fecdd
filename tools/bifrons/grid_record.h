// The metadata of a grid, made from the settings of its cells.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "src/bifrons.h"
#include "vision/pictures/captioned_grid.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// `cells` are in row order, at least one. The record is that of a picture with the settings that
// all cells share. Its member `cells` lists the other settings of each cell, `grid` the axes as
// given and the captions. The A1111 text leaves out settings that differ.
//
// `thoughts`: of each cell, null where it does not think.
PictureMetadata describe_grid(std::span<const DrawRequest> cells,
                              std::span<const std::shared_ptr<const Thought>> thoughts,
                              const std::string& prompt, const GridCaptions& captions,
                              const std::string& across, const std::string& down, RopeMode rope,
                              const ModelInfo& model, const std::string& device);

}  // namespace bifrons::cli
