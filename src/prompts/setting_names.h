// Names of the fields of a prompt line: ours, and those of Janus's own scripts, of diffusers,
// A1111, ComfyUI, stable-diffusion.cpp, MLX and the picture services. Names of settings stand in
// their table (src/settings/settings.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/settings/settings.h"

namespace bifrons {

// The field of that name or one of its aliases. Case does not matter, nor do blanks, hyphens,
// underscores and humps between words: "CFG scale", "cfg-scale" and "cfgScale" are one name.
std::optional<Field> field_of(std::string_view name);

// Whether `name` is the one that is taken for the prompt where there are several: "prompt".
bool is_prompt_itself(std::string_view name);

// The field that an unknown `name` looks like: one mistyped, as "promt" or "temprature", or one
// with a word more, as "cfg_rescale" or "base_seed"; else empty. Empty for the names of fields.
std::string_view nearly_field(std::string_view name);

// All names of a field, the first one ours; words joined by underscores.
std::vector<std::string_view> names_of(Field field);

}  // namespace bifrons
