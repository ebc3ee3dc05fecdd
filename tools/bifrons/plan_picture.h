// --show-plan: the boxes of a thought over the picture.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "src/think.h"
#include "tools/bifrons/output_names.h"
#include "vision/pictures/picture.h"
#include "vision/pictures/typesetter.h"

namespace bifrons::cli {

// `picture` with a frame for each box and its name inside it at the top, as far as it fits. The
// boxes take turns with a few colours.
Picture picture_with_plan(Picture picture, std::span<const PlannedBox> plan,
                          const Typesetter* typesetter);

// Throws Error, before drawing, if --show-plan FILE cannot be written or is one of the pictures of
// `plan`. `fits`: one picture with a thought is drawn.
void check_plan_file(const std::string& file, const OutputPlan& plan, bool fits);

// Writes it as `file`, which was planned. Without a font for the names the frames are drawn alone;
// `say` gets a line about that.
void save_plan(const std::string& file, bool replace, const Picture& picture,
               std::span<const PlannedBox> plan,
               const std::function<void(const std::string&)>& say);

}  // namespace bifrons::cli
