// What a grid says about itself: it has no settings of its own, but those of its cells.
#pragma once

#include <span>
#include <string>

#include "src/bifrons.h"
#include "vision/pictures/captioned_grid.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// `cells` row by row, at least one. The record is that of a picture with the settings that all
// cells share; `cells` lists for each what it has besides, `grid` the axes as they were asked for
// and the captions. A1111's text leaves out what differs.
PictureMetadata describe_grid(std::span<const DrawRequest> cells, const std::string& prompt,
                              const GridCaptions& captions, const std::string& across,
                              const std::string& down, RopeMode rope, const ModelInfo& model,
                              const std::string& device);

}  // namespace bifrons::cli
