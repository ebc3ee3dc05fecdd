// The options of an edit, of `bifrons edit` and of the lines of a batch that change a picture.
#pragma once

#include <optional>
#include <string>

#include "src/edit.h"
#include "tools/bifrons/options.h"

namespace bifrons::cli {

struct EditFlags {
  std::string style;  // empty: what the model is
  std::optional<double> image_guidance;
  Orientation orientation = Orientation::kAsStored;

  void add_to(CLI::App& command);
  // The style of that option, or else of the model. A note says so where the model has none.
  const EditStyle& style_for(const ModelInfo& model, const Verbosity& verbosity) const;
};

// The weight of the row without codes for a style. `given`: not by default. Throws Error (usage):
// the style has no such row.
double image_guidance_of(const EditStyle& style, const std::optional<double>& given,
                         const char* name);

}  // namespace bifrons::cli
