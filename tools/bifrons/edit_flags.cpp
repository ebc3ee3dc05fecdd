// A model that is not known to edit is asked in the first style.
#include "tools/bifrons/edit_flags.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "tools/bifrons/session.h"

namespace bifrons::cli {

void EditFlags::add_to(CLI::App& command) {
  add_orientation(command, orientation);
  add_value(
      command, "--style", "NAME",
      [this](const std::string& text) {
        edit_style(text);  // refuses other names
        style = text;
      },
      "How the model was trained to edit: janus-4o or janus-pro-r1 (default: by its name)");
  add_value(
      command, "--image-guidance", "X",
      [this](const std::string& text) {
        image_guidance = parse_real("--image-guidance", text, 0, kMostImageGuidance);
      },
      "Weight of the row that sees the picture without its codes, 0 to 100 (janus-4o; default 5)");
}

const EditStyle& EditFlags::style_for(const ModelInfo& model, const Verbosity& verbosity) const {
  if (!style.empty()) return edit_style(style);
  if (const EditStyle* own = edit_style_of(model.name)) return *own;
  const EditStyle& first = edit_styles().front();
  log(verbosity,
      fmt::format("{} is not known as a model that edits; it is asked as {} is (--style)",
                  quote(model.name), first.name));
  return first;
}

double image_guidance_of(const EditStyle& style, const std::optional<double>& given,
                         const char* name) {
  if (given && !style.part_row) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} needs a style with three rows; {} has two", name, style.name));
  }
  return given.value_or(kImageGuidance);
}

}  // namespace bifrons::cli
