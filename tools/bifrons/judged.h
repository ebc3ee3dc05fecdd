// What --best-of leaves behind in metadata and reports.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "src/understand.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {

// The question, every candidate's seed and score in order, and the seed that was kept.
nlohmann::json record_of(const Choice& choice);

// Adds it to what a picture says about itself, in both dialects.
void add_judgement(PictureMetadata& metadata, const Choice& choice);

}  // namespace bifrons::cli
