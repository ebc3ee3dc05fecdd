// One table of names, and two looser ways to compare with it.
#include "src/prompts/setting_names.h"

#include <algorithm>
#include <array>

#include "src/io/text.h"

namespace bifrons {
namespace {

struct FieldName {
  std::string_view name;
  Field field;
};

constexpr std::array kNames = std::to_array<FieldName>({
    {"prompt", Field::kPrompt},
    {"text", Field::kPrompt},
    {"caption", Field::kPrompt},
    {"positive_prompt", Field::kPrompt},
    {"negative_prompt", Field::kNegativePrompt},
    {"negative", Field::kNegativePrompt},
    {"neg_prompt", Field::kNegativePrompt},
    {"neg", Field::kNegativePrompt},
    {"negative_text", Field::kNegativePrompt},
    {"negative_caption", Field::kNegativePrompt},
    {"uncond", Field::kNegativePrompt},
    {"uncond_prompt", Field::kNegativePrompt},
    {"unconditional_prompt", Field::kNegativePrompt},
    {"seed", Field::kSeed},
    {"random_seed", Field::kSeed},
    {"rng_seed", Field::kSeed},
    {"noise_seed", Field::kSeed},
    {"manual_seed", Field::kSeed},
    {"generator_seed", Field::kSeed},
    {"large_seed", Field::kSeed},  // of a manifest: one that its readers' integers do not hold
    {"count", Field::kCount},
    {"n", Field::kCount},
    {"parallel_size", Field::kCount},
    {"num_images_per_prompt", Field::kCount},
    {"images_per_prompt", Field::kCount},
    {"num_images", Field::kCount},
    {"n_images", Field::kCount},
    {"number_of_images", Field::kCount},
    {"num_samples", Field::kCount},
    {"num_samples_per_prompt", Field::kCount},
    {"samples_per_prompt", Field::kCount},
    {"number_of_samples", Field::kCount},
    {"num_outputs", Field::kCount},
    {"num_generations", Field::kCount},
    {"num_return_sequences", Field::kCount},  // of transformers
    {"num_pictures", Field::kCount},
    {"number_of_pictures", Field::kCount},
    {"batch_size", Field::kBatchSize},
    {"n_samples", Field::kBatchSize},
    {"n_iter", Field::kBatches},
    {"num_iter", Field::kBatches},
    {"batch_count", Field::kBatches},
    {"num_batches", Field::kBatches},
    {"cfg", Field::kGuidance},
    {"cfg_scale", Field::kGuidance},
    {"cfg_weight", Field::kGuidance},
    {"cfg_guidance", Field::kGuidance},
    {"cfg_guidance_scale", Field::kGuidance},
    {"cfg_strength", Field::kGuidance},
    {"guidance", Field::kGuidance},
    {"guidance_scale", Field::kGuidance},
    {"guidance_weight", Field::kGuidance},
    {"guidance_strength", Field::kGuidance},
    {"classifier_free_guidance", Field::kGuidance},
    {"classifier_free_guidance_scale", Field::kGuidance},
    {"temperature", Field::kTemperature},
    {"temp", Field::kTemperature},
    {"sampling_temperature", Field::kTemperature},
    {"top_k", Field::kTopK},
    {"top_p", Field::kTopP},
    {"id", Field::kId},
    {"custom_id", Field::kId},
    {"output", Field::kOutput},
    {"file_name", Field::kOutput},
});

// Beginnings of names that speak of a setting, and the setting.
constexpr std::array kBeginnings = std::to_array<FieldName>({
    {"cfg", Field::kGuidance},
    {"guidance", Field::kGuidance},
    {"seed", Field::kSeed},
    {"negative", Field::kNegativePrompt},
    {"neg_prompt", Field::kNegativePrompt},
    {"temperature", Field::kTemperature},
    {"top_k", Field::kTopK},
    {"topk", Field::kTopK},
    {"top_p", Field::kTopP},
    {"topp", Field::kTopP},
    {"num_images", Field::kCount},
    {"num_samples", Field::kCount},
    {"number_of_images", Field::kCount},
    {"number_of_samples", Field::kCount},
    {"images_per", Field::kCount},
    {"samples_per", Field::kCount},
    {"num_img", Field::kCount},
    {"num_picture", Field::kCount},
    {"num_return", Field::kCount},
    {"pictures_per", Field::kCount},
    {"imgs_per", Field::kCount},
    {"image_count", Field::kCount},
    {"repeat", Field::kCount},
    {"parallel_size", Field::kCount},
    {"batch_size", Field::kBatchSize},
    {"batch_count", Field::kBatches},
    {"n_iter", Field::kBatches},
    {"n_samples", Field::kBatchSize},
});

// Words that speak of a setting wherever they stand in a name.
constexpr std::array kWords = std::to_array<FieldName>(
    {{"cfg", Field::kGuidance}, {"guidance", Field::kGuidance}, {"seed", Field::kSeed}});

constexpr size_t kLongestName = 64;  // of those that are compared letter by letter

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

// Small letters, words joined by one underscore each.
std::string normal(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool between = c == '-' || c == ' ' || c == '_' || c == '\t';
    const bool hump = is_upper(c) && i > 0 && is_lower(name[i - 1]);
    if ((between || hump) && !out.empty() && out.back() != '_') out += '_';
    if (!between) out += lower(c);
  }
  while (out.ends_with('_')) out.pop_back();
  return out;
}

std::string without_underscores(std::string_view name) {
  std::string out(name);
  std::erase(out, '_');
  return out;
}

// Ids and names of files are not ours alone: "filename" is a column of many a table, so those are
// taken word for word.
bool is_of_file(Field field) { return field == Field::kOutput || field == Field::kId; }

bool same_name(const FieldName& known, std::string_view name, const std::string& plain) {
  if (!is_of_file(known.field)) return without_underscores(known.name) == plain;
  return std::equal(known.name.begin(), known.name.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == (b == '-' || b == ' ' ? '_' : lower(b)); });
}

// Whether two neighbours have changed places.
bool swapped(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin());
  if (at == a.end() || at + 1 == a.end()) return false;
  return at[0] == other[1] && at[1] == other[0] && std::equal(at + 2, a.end(), other + 2);
}

// Short words are near each other by chance ("test" and "text"): there a letter must be missing or
// one too many. Long ones of some settings may have two slips.
bool mistyped(std::string_view known, std::string_view name, Field field) {
  if (known.size() < 4 || name.size() < 4) return false;
  if (known.size() == 4 && known.size() == name.size()) return false;
  const bool rare = field == Field::kGuidance || field == Field::kTemperature ||
                    field == Field::kNegativePrompt;  // few other words are near those
  const size_t allowed = rare && known.size() >= 9 ? 2 : 1;
  return swapped(known, name) || edit_distance(known, name, allowed + 1) <= allowed;
}

bool has_word(std::string_view name, std::string_view word) {
  for (size_t at = name.find(word); at != name.npos; at = name.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || name[at - 1] == '_') && (end == name.size() || name[end] == '_')) return true;
  }
  return false;
}

// "top_p" begins "top_p_value" but not "top_performers".
bool begins(std::string_view name, std::string_view beginning) {
  if (!name.starts_with(beginning)) return false;
  const bool one_letter = beginning.starts_with("top");
  return !one_letter || name.size() == beginning.size() || !is_lower(name[beginning.size()]);
}

}  // namespace

std::optional<Field> field_of(std::string_view name) {
  if (name.size() > kLongestName) return std::nullopt;
  const std::string plain = without_underscores(normal(name));
  for (const FieldName& each : kNames) {
    if (same_name(each, name, plain)) return each.field;
  }
  return std::nullopt;
}

bool is_prompt_itself(std::string_view name) {
  return name.size() <= kLongestName && normal(name) == "prompt";
}

std::string_view nearly_field(std::string_view name) {
  if (name.size() > kLongestName || field_of(name)) return {};
  const std::string wanted = normal(name), plain = without_underscores(wanted);
  for (const FieldName& each : kNames) {
    if (mistyped(each.name, wanted, each.field) ||
        mistyped(without_underscores(each.name), plain, each.field)) {
      return each.name;
    }
  }
  for (const FieldName& each : kBeginnings) {
    if (begins(wanted, each.name)) return names_of(each.field).front();
  }
  for (const FieldName& each : kWords) {
    if (has_word(wanted, each.name)) return names_of(each.field).front();
  }
  return {};
}

std::vector<std::string_view> names_of(Field field) {
  std::vector<std::string_view> names;
  for (const FieldName& each : kNames) {
    if (each.field == field) names.push_back(each.name);
  }
  return names;
}

}  // namespace bifrons
