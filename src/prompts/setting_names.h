// The names of settings, as people meet them: ours, those of Janus's own scripts, of diffusers,
// A1111, ComfyUI, stable-diffusion.cpp, MLX and the picture services.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

enum class Field {
  kPrompt,
  kNegativePrompt,
  kSeed,
  kCount,
  kBatchSize,  // pictures of a batch, of which there are kBatches: their product is a count
  kBatches,
  kGuidance,
  kTemperature,
  kTopK,
  kTopP,
  kId,
  kOutput
};
constexpr size_t kFields = static_cast<size_t>(Field::kOutput) + 1;

// The field of that name or one of its aliases. Case does not matter, nor do blanks, hyphens,
// underscores and humps between words: "CFG scale", "cfg-scale" and "cfgScale" are one name.
std::optional<Field> field_of(std::string_view name);

// Whether `name` is the one that is taken for the prompt where there are several: "prompt".
bool is_prompt_itself(std::string_view name);

// The setting that a foreign `name` looks like: one mistyped, as "promt" or "temprature", or one
// with a word more, as "cfg_rescale" or "base_seed"; else empty. Empty for the names of settings.
std::string_view nearly_field(std::string_view name);

// All names of a field, the first one ours; words joined by underscores.
std::vector<std::string_view> names_of(Field field);

}  // namespace bifrons
