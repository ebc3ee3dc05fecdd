// The picture that a line of a batch changes, with the settings of the edit (src/edit.h).
#pragma once

#include <string>
#include <string_view>

#include "src/edit.h"
#include "vision/pictures/picture_read.h"

namespace bifrons {

struct LineEdit {
  std::string image;   // the path as the line has it
  std::string path;    // the same from the working directory
  std::string sha256;  // of the file
  const EditStyle* style = nullptr;
  double image_guidance = kImageGuidance;  // of a style with a third row
  Orientation orientation = Orientation::kAsStored;
};

// The settings that decide the picture, as JSON. The path is none of them.
std::string edit_key(const LineEdit& edit);

// The member `edit` of a manifest in `directory`. Its `image` begins at that directory, unless the
// line's begins at the root: so the manifest is a prompt file too.
std::string edit_member(const LineEdit& edit, const std::string& directory);

// What the picture's own settings say under `edit`, as `bifrons edit` writes it.
std::string edit_record(const LineEdit& edit);

}  // namespace bifrons
